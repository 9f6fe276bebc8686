// No string that a client sends may lead a server out of its folders: every one that meets a file
// system, with the roles that may send it.
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kvscope/v1/inference.grpc.pb.h"
#include "kvscope/v1/metrics.grpc.pb.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/channel.h"
#include "services/rpc/grpc_status.h"
#include "tests/cluster/client.h"
#include "tests/cluster/secured_cluster.h"

namespace kvscope::cluster_test {
namespace {

namespace fs = std::filesystem;
using rpc::Role;

// Each leads out of DIR, or out of DIR/pocket-llama, if it is appended to it. `outside` is a model.
std::vector<std::string> WaysOut(const std::string& outside) {
  return {"..",
          "../outside",
          "./../outside",
          "pocket-llama/../../outside",
          "pocket-llama/..",
          "..//outside",
          outside,
          "/etc",
          std::string("..\0", 3),
          std::string("../outside\0/x", 13)};
}

bool IsRefusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status);
}

class PathRefusals : public testing::Test {
 protected:
  // All files below the cluster's folder but those that servers write of their own accord.
  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(cluster_.Path(""))) {
      const std::string name = entry.path().filename();
      if (name.starts_with("store.db") || name.ends_with(".log")) continue;
      files.insert(entry.path());
    }
    return files;
  }

  std::shared_ptr<grpc::Channel> Dial(const std::string& address, Role role) {
    const auto channel = rpc::Dial(address, cluster_.Client(role));
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *channel;
  }

  SecuredCluster cluster_;
};

v1::Unit PocketUnit() {
  const v1::SweepSpec sweep = PocketSweep();
  v1::Unit unit;
  unit.set_key(std::string(64, 'a'));
  unit.set_model(sweep.model());
  unit.set_device("cpu");
  unit.set_dtype("float32");
  unit.set_regime(v1::AGNOSTIC);
  unit.add_presses("knorm");
  unit.add_ratios(0.5);
  unit.set_max_new_tokens(1);
  *unit.mutable_scoring() = sweep.scoring();
  *unit.add_passages() = PocketPassages(1)[0];
  return unit;
}

TEST_F(PathRefusals, ModelsAndTokenizersOfAnEvaluation) {
  const auto stub = v1::InferenceService::NewStub(Dial(cluster_.Inference(), Role::kSubmit));
  const auto evaluate = [&](const v1::Unit& unit) {
    rpc::StreamContext context;
    v1::EvaluateRequest request;
    *request.mutable_unit() = unit;
    const auto reader = stub->Evaluate(&context, request);
    v1::EvaluateResponse response;
    while (reader->Read(&response)) {
    }
    return rpc::FromGrpc(reader->Finish());
  };
  const absl::Status sound = evaluate(PocketUnit());
  EXPECT_TRUE(sound.ok()) << sound;
  for (const std::string& way : WaysOut(cluster_.Path("outside"))) {
    v1::Unit model = PocketUnit(), tokenizer = PocketUnit();
    model.set_model(way);
    tokenizer.mutable_scoring()->set_tokenizer(way);
    for (const v1::Unit& unit : {model, tokenizer}) {
      const absl::Status status = evaluate(unit);
      EXPECT_TRUE(IsRefusal(status)) << absl::CHexEscape(way) << ": " << status;
    }
  }
}

TEST_F(PathRefusals, ModelsAndTokenizersOfASweep) {
  cluster_.Inference();  // checks what is submitted
  const auto stub = v1::OrchestratorService::NewStub(Dial(cluster_.Orchestrator(), Role::kSubmit));
  v1::Dataset dataset;
  {
    rpc::StreamContext context;
    const auto writer = stub->UploadDataset(&context, &dataset);
    v1::UploadDatasetRequest request;
    request.set_name("../people");  // a data set's name is text: it stands in the store
    *request.add_passages() = PocketPassages(1)[0];
    writer->Write(request);
    writer->WritesDone();
    ASSERT_TRUE(writer->Finish().ok());
  }
  int submitted = 0;
  // The error of the sweep, refused at once or by the worker that checks it; "" if it can run.
  const auto submit = [&](v1::SweepSpec spec) -> std::string {
    *spec.add_datasets() = dataset;
    v1::CreateSweepRequest request;
    request.set_request_id(absl::StrCat("request-", submitted++));
    *request.mutable_spec() = spec;
    v1::Sweep sweep;
    rpc::UnaryContext create;
    const grpc::Status created = stub->CreateSweep(&create, request, &sweep);
    if (!created.ok()) return created.error_message();
    v1::GetSweepRequest get;
    get.set_sweep(sweep.id());
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (sweep.state() == v1::Sweep::CHECKING && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(20));
      rpc::UnaryContext context;
      EXPECT_TRUE(stub->GetSweep(&context, get, &sweep).ok());
    }
    EXPECT_NE(sweep.state(), v1::Sweep::CHECKING);
    return sweep.error();
  };
  EXPECT_EQ(submit(PocketSweep()), "");
  for (const std::string& way : WaysOut(cluster_.Path("outside"))) {
    v1::SweepSpec model = PocketSweep(), more = PocketSweep(), tokenizer = PocketSweep();
    model.set_model(way);
    more.add_more_models(way);
    tokenizer.mutable_scoring()->set_tokenizer(way);
    for (const v1::SweepSpec& spec : {model, more, tokenizer}) {
      EXPECT_NE(submit(spec), "") << absl::CHexEscape(way) << " in " << spec.ShortDebugString();
    }
  }
  for (const char* name : {".", "..", "../x", "a/b", "/x", ""}) {  // clients make a folder of it
    v1::SweepSpec spec = PocketSweep();
    spec.set_name(name);
    EXPECT_NE(submit(spec), "") << name;
  }
}

TEST_F(PathRefusals, IdsOfSweeps) {
  const auto stub = v1::OrchestratorService::NewStub(Dial(cluster_.Orchestrator(), Role::kSubmit));
  for (const std::string& way : WaysOut(cluster_.Path("outside"))) {
    v1::GetSweepRequest get;
    get.set_sweep(way);
    v1::DeleteSweepRequest remove;
    remove.set_sweep(way);
    v1::Sweep sweep;
    v1::DeleteSweepResponse response;
    rpc::UnaryContext get_context, remove_context;
    EXPECT_TRUE(IsRefusal(rpc::FromGrpc(stub->GetSweep(&get_context, get, &sweep))));
    EXPECT_TRUE(IsRefusal(rpc::FromGrpc(stub->DeleteSweep(&remove_context, remove, &response))));
  }
  EXPECT_TRUE(fs::exists(cluster_.Path("outside/config.json")));
}

TEST_F(PathRefusals, KeysOfUnitsWhoseHiddenStatesAreKept) {
  const auto stub = v1::MetricsService::NewStub(Dial(cluster_.Metrics(), Role::kWorker));
  std::vector<std::string> keys = WaysOut(cluster_.Path("outside"));
  keys.push_back("../" + std::string(61, 'a'));  // as long as a key
  keys.push_back(std::string(64, 'A'));
  keys.push_back(std::string(63, 'a') + "/");
  keys.push_back("");
  const std::set<std::string> before = Files();
  for (const std::string& key : keys) {
    rpc::StreamContext measure;
    const auto stream = stub->MeasureUnit(&measure);
    v1::SurvivalRecord record;
    v1::UnitHeader* header = record.mutable_unit();
    header->set_unit_key(key);
    header->set_layers(1);
    header->set_kv_heads(1);
    header->set_q_heads(1);
    header->add_probe_layers(0);  // so that a file is made
    header->set_probe_width(2);
    stream->Write(record);
    stream->WritesDone();
    v1::PassageMetrics metrics;
    while (stream->Read(&metrics)) {
    }
    const absl::Status measured = rpc::FromGrpc(stream->Finish());
    EXPECT_TRUE(IsRefusal(measured)) << absl::CHexEscape(key) << ": " << measured;

    rpc::StreamContext fit;
    v1::FitProbesRequest request;
    request.add_unit_keys(key);
    const auto reader = stub->FitProbes(&fit, request);
    v1::ProbeFit found;
    while (reader->Read(&found)) {
    }
    const absl::Status fitted = rpc::FromGrpc(reader->Finish());
    EXPECT_TRUE(IsRefusal(fitted)) << absl::CHexEscape(key) << ": " << fitted;
  }
  EXPECT_EQ(Files(), before);
}

}  // namespace
}  // namespace kvscope::cluster_test
