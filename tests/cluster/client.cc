#include "tests/cluster/client.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace kvscope::cluster_test {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);

std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

bool Ended(const v1::Sweep& sweep) {
  return sweep.state() == v1::Sweep::SUCCEEDED || sweep.state() == v1::Sweep::FAILED ||
         sweep.state() == v1::Sweep::CANCELLED;
}

}  // namespace

v1::SweepSpec PocketSweep() {
  v1::SweepSpec spec;
  spec.set_name("pocket");
  spec.set_model("pocket-llama");
  spec.set_device("cpu");
  spec.set_dtype("float32");
  spec.add_regimes(v1::AGNOSTIC);
  spec.add_presses("knorm");
  spec.add_presses("snapkv(window_size=8)");
  for (const double ratio : {0.0, 0.3, 0.7}) spec.add_ratios(ratio);
  spec.set_max_new_tokens(16);
  spec.mutable_capture()->set_consensus(true);
  spec.mutable_scoring()->set_tokenizer("model");
  return spec;
}

std::vector<v1::Passage> PocketPassages(int passages) {
  constexpr std::array kPeople = {"Kelan Quinwick", "Daryn Jormont", "Wilia Rosker", "Oran Salsen",
                                  "Hareth Verson"};
  constexpr std::array kTowns = {"Janmouth", "Rosshire", "Delgate", "Malmouth"};
  constexpr std::array kJobs = {"builder", "dentist", "farmer"};
  std::vector<v1::Passage> all;
  for (int i = 0; i < passages; ++i) {
    const std::string person = kPeople[static_cast<size_t>(i) % kPeople.size()];
    const std::string town = kTowns[static_cast<size_t>(i / 5) % kTowns.size()];
    const std::string job = kJobs[static_cast<size_t>(i / 20) % kJobs.size()];
    v1::Passage& passage = all.emplace_back();
    passage.set_dataset("people");
    passage.set_passage_id(absl::StrCat("people-", i));
    passage.set_context(absl::StrCat(person, " took a boat to ", town, ". ", person,
                                     " worked as a ", job, ". The market was busy for ", i,
                                     " hours. A quiet crowd changed slowly that day."));
    const std::array<std::array<std::string, 2>, 3> asked = {
        {{absl::StrCat("Where did ", person, " travel?"), town},
         {absl::StrCat("What was the job of ", person, "?"), job},
         {absl::StrCat("Who travelled to ", town, "?"), person}}};
    for (const auto& [question, answer] : asked) {
      v1::Question* added = passage.add_questions();
      added->set_question_id(absl::StrCat(passage.passage_id(), "-", passage.questions_size()));
      added->set_question(question);
      added->set_answer(answer);
    }
  }
  return all;
}

grpc::Status Client::Call(const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    const grpc::Status status = call(&context);
    const bool away = status.error_code() == grpc::StatusCode::UNAVAILABLE;
    if (!away || absl::Now() > deadline) {
      EXPECT_TRUE(status.ok()) << status.error_code() << ": " << status.error_message();
      return status;
    }
    absl::SleepFor(absl::Milliseconds(50));
  }
}

v1::Dataset Client::Upload(const std::string& name, std::span<const v1::Passage> passages) {
  v1::Dataset dataset;
  Call([&](grpc::ClientContext* context) {
    const auto writer = stub()->UploadDataset(context, &dataset);
    v1::UploadDatasetRequest request;
    request.set_name(name);
    for (const v1::Passage& passage : passages) {
      *request.add_passages() = passage;
      if (!writer->Write(request)) break;
      request.Clear();
    }
    writer->WritesDone();
    return writer->Finish();
  });
  return dataset;
}

v1::Sweep Client::Submit(const std::string& request_id, v1::SweepSpec spec,
                         const std::vector<v1::Passage>& passages) {
  *spec.add_datasets() = Upload("people", passages);
  return Create(request_id, spec);
}

v1::Sweep Client::Create(const std::string& request_id, const v1::SweepSpec& spec) {
  v1::CreateSweepRequest request;
  request.set_request_id(request_id);
  *request.mutable_spec() = spec;
  v1::Sweep sweep;
  Call([&](auto* context) { return stub()->CreateSweep(context, request, &sweep); });
  return sweep;
}

v1::Sweep Client::Get(const std::string& sweep) {
  v1::GetSweepRequest request;
  request.set_sweep(sweep);
  v1::Sweep found;
  Call([&](auto* context) { return stub()->GetSweep(context, request, &found); });
  return found;
}

v1::Sweep Client::Cancel(const std::string& sweep) {
  v1::CancelSweepRequest request;
  request.set_sweep(sweep);
  request.set_request_id("cancel-" + sweep);
  v1::Sweep found;
  Call([&](auto* context) { return stub()->CancelSweep(context, request, &found); });
  return found;
}

v1::Sweep Client::Resume(const std::string& sweep) {
  v1::ResumeSweepRequest request;
  request.set_sweep(sweep);
  request.set_request_id("resume-" + sweep);
  v1::Sweep found;
  Call([&](auto* context) { return stub()->ResumeSweep(context, request, &found); });
  return found;
}

void Client::Delete(const std::string& sweep) {
  v1::DeleteSweepRequest request;
  request.set_sweep(sweep);
  request.set_request_id("delete-" + sweep);
  v1::DeleteSweepResponse response;
  Call([&](auto* context) { return stub()->DeleteSweep(context, request, &response); });
}

int Client::SweepCount() {
  v1::ListSweepsResponse response;
  Call([&](auto* context) {
    return stub()->ListSweeps(context, v1::ListSweepsRequest(), &response);
  });
  return response.sweeps_size();
}

v1::Sweep Client::WaitFor(const std::string& sweep,
                          const std::function<bool(const v1::Sweep&)>& condition) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (true) {
    v1::Sweep seen = Get(sweep);
    if (condition(seen)) return seen;
    if (absl::Now() > deadline) {
      ADD_FAILURE() << "waited in vain: " << seen.DebugString();
      return seen;
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
}

v1::Sweep Client::WaitForEnd(const std::string& sweep) { return WaitFor(sweep, Ended); }

void Client::WaitForLease(const std::string& sweep) {
  WaitFor(sweep,
          [](const v1::Sweep& seen) { return seen.progress().units_running() > 0 || Ended(seen); });
}

std::vector<v1::UnitStatus> Client::Units(const std::string& sweep) {
  v1::ListUnitsRequest request;
  request.set_sweep(sweep);
  request.set_page_size(1000);
  v1::ListUnitsResponse response;
  Call([&](auto* context) { return stub()->ListUnits(context, request, &response); });
  return {response.units().begin(), response.units().end()};
}

std::vector<std::string> Client::Answers(const std::string& sweep) {
  v1::StreamAnswersRequest request;
  request.set_sweep(sweep);
  std::vector<std::string> rows;
  Call([&](grpc::ClientContext* context) {
    rows.clear();
    const auto reader = stub()->StreamAnswers(context, request);
    v1::AnswerRows message;
    while (reader->Read(&message)) {
      for (v1::AnswerRow& row : *message.mutable_rows()) {
        row.clear_sweep_id();
        rows.push_back(DeterministicBytes(row));
      }
    }
    return reader->Finish();
  });
  return rows;
}

}  // namespace kvscope::cluster_test
