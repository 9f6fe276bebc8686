// Several users of one cluster, told apart by their tokens: what is whose, how much anybody may
// have at a time, and who is served when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/channel.h"
#include "services/rpc/grpc_status.h"
#include "tests/cluster/client.h"
#include "tests/cluster/secured_cluster.h"

namespace kvscope::cluster_test {
namespace {

using rpc::Role;
using ::testing::HasSubstr;

// Calls with one token.
class User {
 public:
  User(const std::string& address, const rpc::ClientSecurity& security)
      : stub_(v1::OrchestratorService::NewStub(*rpc::Dial(address, security))) {}

  // The passages from `first` on, under a name of their own.
  absl::StatusOr<v1::Dataset> Upload(int first, int passages) {
    rpc::StreamContext context;
    v1::Dataset dataset;
    const auto writer = stub_->UploadDataset(&context, &dataset);
    v1::UploadDatasetRequest request;
    request.set_name(absl::StrCat("people-", first));
    const std::vector<v1::Passage> all = PocketPassages(first + passages);
    request.mutable_passages()->Assign(all.begin() + first, all.end());
    writer->Write(request);
    writer->WritesDone();
    const absl::Status status = rpc::FromGrpc(writer->Finish());
    if (!status.ok()) return status;
    return dataset;
  }

  // The pocket sweep over these data sets.
  absl::StatusOr<v1::Sweep> Submit(const std::string& name,
                                   const std::vector<v1::Dataset>& datasets, int priority = 0) {
    v1::CreateSweepRequest request;
    request.set_request_id(name);
    request.set_priority(priority);
    *request.mutable_spec() = PocketSweep();
    request.mutable_spec()->set_name(name);
    request.mutable_spec()->mutable_datasets()->Assign(datasets.begin(), datasets.end());
    return Call(&v1::OrchestratorService::Stub::CreateSweep, request);
  }

  absl::StatusOr<v1::Sweep> Get(const std::string& sweep) {
    v1::GetSweepRequest request;
    request.set_sweep(sweep);
    return Call(&v1::OrchestratorService::Stub::GetSweep, request);
  }
  absl::StatusOr<v1::Sweep> Cancel(const std::string& sweep) {
    v1::CancelSweepRequest request;
    request.set_sweep(sweep);
    return Call(&v1::OrchestratorService::Stub::CancelSweep, request);
  }
  absl::StatusOr<v1::Sweep> Resume(const std::string& sweep) {
    v1::ResumeSweepRequest request;
    request.set_sweep(sweep);
    return Call(&v1::OrchestratorService::Stub::ResumeSweep, request);
  }
  absl::Status Delete(const std::string& sweep) {
    v1::DeleteSweepRequest request;
    request.set_sweep(sweep);
    rpc::UnaryContext context;
    v1::DeleteSweepResponse response;
    return rpc::FromGrpc(stub_->DeleteSweep(&context, request, &response));
  }

  v1::Sweep Await(const std::string& sweep, v1::Sweep::State state) {
    const absl::Time deadline = absl::Now() + absl::Minutes(2);
    absl::StatusOr<v1::Sweep> seen = Get(sweep);
    while (seen.ok() && seen->state() != state && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(20));
      seen = Get(sweep);
    }
    if (!seen.ok()) {
      ADD_FAILURE() << seen.status();
      return {};
    }
    EXPECT_EQ(seen->state(), state) << seen->error();
    return *seen;
  }

 private:
  template <typename Request>
  absl::StatusOr<v1::Sweep> Call(grpc::Status (v1::OrchestratorService::Stub::*call)(
                                     grpc::ClientContext*, const Request&, v1::Sweep*),
                                 const Request& request) {
    v1::Sweep sweep;
    const absl::Status status = rpc::CallPatiently([&] {
      rpc::UnaryContext context;
      return rpc::FromGrpc((stub_.get()->*call)(&context, request, &sweep));
    });
    if (!status.ok()) return status;
    return sweep;
  }

  std::unique_ptr<v1::OrchestratorService::Stub> stub_;
};

class Users : public testing::Test {
 protected:
  // ann and ben may submit; the cluster's "admin" may do all.
  void Start(const std::vector<std::string>& quotas) {
    cluster_ = std::make_unique<SecuredCluster>(quotas);
    std::ostringstream table;
    table << std::ifstream(cluster_->Path("tokens")).rdbuf();
    cluster_->Write("tokens", absl::StrCat(table.str(), cluster_->Invite("ann", Role::kSubmit),
                                           cluster_->Invite("ben", Role::kSubmit)));
    ann_ = std::make_unique<User>(cluster_->Orchestrator(), cluster_->Client("ann"));
    ben_ = std::make_unique<User>(cluster_->Orchestrator(), cluster_->Client("ben"));
    admin_ = std::make_unique<User>(cluster_->Orchestrator(), cluster_->Client("admin"));
  }

  // `count` data sets of eight passages each, no two equal.
  std::vector<v1::Dataset> Datasets(User& user, int count) {
    std::vector<v1::Dataset> datasets;
    for (int i = 0; i < count; ++i) {
      const auto dataset = user.Upload(passages_, 8);
      EXPECT_TRUE(dataset.ok()) << dataset.status();
      if (dataset.ok()) datasets.push_back(*dataset);
      passages_ += 8;
    }
    return datasets;
  }

  void ExpectDenied(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  }

  std::unique_ptr<SecuredCluster> cluster_;
  std::unique_ptr<User> ann_, ben_, admin_;
  int passages_ = 0;
};

TEST_F(Users, ASweepIsItsOwnersAndTheAdmins) {
  Start({});
  const absl::StatusOr<v1::Sweep> sweep = ann_->Submit("anns", Datasets(*ann_, 1));
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_EQ(sweep->owner(), "ann");
  EXPECT_TRUE(ben_->Get("anns").ok());
  ExpectDenied(ben_->Cancel("anns").status());
  EXPECT_TRUE(ann_->Cancel("anns").ok());
  ann_->Await("anns", v1::Sweep::CANCELLED);
  ExpectDenied(ben_->Resume("anns").status());
  ExpectDenied(ben_->Delete("anns"));
  EXPECT_TRUE(admin_->Resume("anns").ok());
  EXPECT_TRUE(admin_->Cancel("anns").ok());
  ann_->Await("anns", v1::Sweep::CANCELLED);
  EXPECT_TRUE(admin_->Delete("anns").ok());
  // The same request of another user's is another sweep.
  const absl::StatusOr<v1::Sweep> anns = ann_->Submit("same", Datasets(*ann_, 1));
  const absl::StatusOr<v1::Sweep> bens = ben_->Submit("same", Datasets(*ben_, 1));
  ASSERT_TRUE(anns.ok() && bens.ok()) << anns.status() << bens.status();
  EXPECT_NE(anns->id(), bens->id());
}

TEST_F(Users, EachHasAQuotaOfOpenSweepsCellsAndBytes) {
  constexpr int kCells = 2 * 3;  // of a data set: presses times ratios
  Start(
      {"--quota-sweeps", "2", "--quota-cells", absl::StrCat(4 * kCells), "--quota-bytes", "40000"});
  const std::vector<v1::Dataset> anns = Datasets(*ann_, 6);
  ASSERT_EQ(anns.size(), 6u);
  const auto refused = [](const absl::Status& status, const std::string& what) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  };
  ASSERT_TRUE(ann_->Submit("one", {anns[0], anns[1]}).ok());
  refused(ann_->Submit("many-cells", {anns[2], anns[3], anns[4]}).status(), "cells");
  ASSERT_TRUE(ann_->Submit("two", {anns[2]}).ok());
  refused(ann_->Submit("three", {anns[3]}).status(), "sweeps");
  EXPECT_TRUE(ann_->Submit("two", {anns[2]}).ok());  // which is there already

  // Nobody else is kept from anything.
  ASSERT_TRUE(ben_->Submit("bens", {anns[3]}).ok());

  // What has ended is not open.
  ASSERT_TRUE(ann_->Cancel("one").ok());
  ann_->Await("one", v1::Sweep::CANCELLED);
  EXPECT_TRUE(ann_->Submit("three", {anns[3]}).ok());

  absl::Status full;
  for (int first = 1000; full.ok() && first < 2000; first += 100) {
    full = ann_->Upload(first, 100).status();
  }
  refused(full, "bytes");
  EXPECT_TRUE(ben_->Upload(5000, 8).ok());
}

// Before any worker is there ann submits two sweeps, then ben one of half the size; last of all an
// admin what is to go first.
TEST_F(Users, AreServedInEqualSharesAndByPriority) {
  Start({});
  ASSERT_TRUE(ann_->Submit("anns-first", Datasets(*ann_, 3)).ok());
  ASSERT_TRUE(ann_->Submit("anns-second", Datasets(*ann_, 3)).ok());
  ASSERT_TRUE(ben_->Submit("bens", Datasets(*ben_, 3)).ok());
  ExpectDenied(ben_->Submit("now", Datasets(*ben_, 1), 1).status());
  ASSERT_TRUE(ben_->Submit("whenever", Datasets(*ben_, 1), -1).ok());
  ASSERT_TRUE(admin_->Submit("now", Datasets(*admin_, 2), 1).ok());

  cluster_->Inference();
  const std::array<std::string, 5> names = {"anns-first", "anns-second", "bens", "whenever", "now"};
  std::vector<std::string> order;        // whose each unit was that is done
  std::map<std::string, int64_t> units;  // of each sweep
  std::map<std::string, int64_t> done;
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  for (size_t ended = 0; ended < names.size() && absl::Now() < deadline;) {
    ended = 0;
    for (const std::string& name : names) {
      const auto sweep = admin_->Get(name);
      ASSERT_TRUE(sweep.ok()) << sweep.status();
      units[name] = sweep->progress().units_total();
      for (; done[name] < sweep->progress().units_done(); ++done[name]) order.push_back(name);
      ended += sweep->state() == v1::Sweep::SUCCEEDED;
    }
  }
  std::cout << "served: " << testing::PrintToString(order) << '\n';
  const auto total = static_cast<int64_t>(order.size());
  ASSERT_GT(total, 20);
  const auto first = [&](const std::string& name) {
    return std::find(order.begin(), order.end(), name) - order.begin() + 1;
  };
  const auto last = [&](const std::string& name) {
    return std::find(order.rbegin(), order.rend(), name).base() - order.begin();
  };
  // A worker has up to two units at a time, and several may end between two looks.
  constexpr int kSlack = 3;
  EXPECT_LE(last("now"), units["now"] + kSlack);
  EXPECT_GT(first("whenever"), total - units["whenever"] - kSlack);
  EXPECT_EQ(units["bens"], units["anns-first"]);
  EXPECT_NEAR(static_cast<double>(last("bens")),
              static_cast<double>(units["now"] + 2 * units["bens"]), kSlack);
  EXPECT_LT(last("anns-first"), first("anns-second") + kSlack);
}

}  // namespace
}  // namespace kvscope::cluster_test
