// An orchestrator behind an in-process channel, and a client's first steps.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/orchestrator/service/orchestrator_server.h"
#include "services/rpc/server.h"
#include "services/rpc/telemetry.h"
#include "tests/orchestrator/service/scripted_worker.h"

namespace kvscope::orchestrator {

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    rpc::SetLogLevel(rpc::LogLevel::kOff);
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              absl::StrCat("kvscope-", info->test_suite_name(), "-", info->name(), "-", getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    options_.store = (folder_ / "store.db").string();
    Start();
  }
  ~ServiceTest() override {
    Stop();
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    auto opened = OrchestratorServer::Open(options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    orchestrator_ = *std::move(opened);
    auto started = rpc::Server::Start({}, orchestrator_->services());
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    channel_ = server_->InProcessChannel();
    stub_ = v1::OrchestratorService::NewStub(channel_);
  }

  void Stop() {
    stub_.reset();
    channel_.reset();
    server_.reset();
    orchestrator_.reset();
  }

  static v1::Passage Passage(int index, int questions, size_t bytes) {
    v1::Passage passage;
    passage.set_passage_id(absl::StrCat("p", index));
    passage.set_context(absl::StrCat("text ", index, " ", std::string(bytes, 'x')));
    for (int q = 0; q < questions; ++q) {
      v1::Question* question = passage.add_questions();
      question->set_question(absl::StrCat("question ", q, "?"));
      question->set_answer(absl::StrCat("gold ", index, ".", q));
    }
    return passage;
  }

  v1::Dataset Upload(const std::string& name, int passages, int questions = 2, size_t bytes = 20) {
    grpc::ClientContext context;
    v1::Dataset dataset;
    auto writer = stub_->UploadDataset(&context, &dataset);
    for (int i = 0; i < passages; ++i) {
      v1::UploadDatasetRequest request;
      if (i == 0) request.set_name(name);
      *request.add_passages() = Passage(i, questions, bytes);
      writer->Write(request);
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return dataset;
  }

  static v1::SweepSpec Spec(const std::string& name, const v1::Dataset& dataset) {
    v1::SweepSpec spec;
    spec.set_name(name);
    spec.set_model("tiny-model");
    *spec.add_datasets() = dataset;
    spec.add_regimes(v1::AGNOSTIC);
    spec.add_presses("snapkv");
    spec.add_presses("random");
    spec.add_ratios(0);
    spec.add_ratios(0.5);
    spec.set_max_new_tokens(8);
    return spec;
  }

  grpc::Status TryCreate(const v1::SweepSpec& spec, const std::string& request_id,
                         v1::Sweep* sweep) {
    grpc::ClientContext context;
    v1::CreateSweepRequest request;
    request.set_request_id(request_id);
    *request.mutable_spec() = spec;
    return stub_->CreateSweep(&context, request, sweep);
  }

  v1::Sweep Create(const v1::SweepSpec& spec, const std::string& request_id = "") {
    v1::Sweep sweep;
    const grpc::Status status =
        TryCreate(spec, request_id.empty() ? "create " + spec.name() : request_id, &sweep);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return sweep;
  }

  v1::Sweep Get(const std::string& name) {
    grpc::ClientContext context;
    v1::GetSweepRequest request;
    request.set_sweep(name);
    v1::Sweep sweep;
    const grpc::Status status = stub_->GetSweep(&context, request, &sweep);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return sweep;
  }

  // Waits until the sweep is in this state, at most 20 s.
  v1::Sweep Await(const std::string& name, v1::Sweep::State state) {
    v1::Sweep sweep = Get(name);
    for (int i = 0; i < 1000 && sweep.state() != state; ++i) {
      absl::SleepFor(absl::Milliseconds(20));
      sweep = Get(name);
    }
    EXPECT_EQ(sweep.state(), state) << sweep.ShortDebugString();
    return sweep;
  }

  v1::Sweep Cancel(const std::string& name) {
    grpc::ClientContext context;
    v1::CancelSweepRequest request;
    request.set_sweep(name);
    v1::Sweep sweep;
    EXPECT_TRUE(stub_->CancelSweep(&context, request, &sweep).ok());
    return sweep;
  }

  v1::Sweep Resume(const std::string& name) {
    grpc::ClientContext context;
    v1::ResumeSweepRequest request;
    request.set_sweep(name);
    v1::Sweep sweep;
    EXPECT_TRUE(stub_->ResumeSweep(&context, request, &sweep).ok());
    return sweep;
  }

  std::vector<v1::AnswerRow> Answers(const std::string& name) {
    grpc::ClientContext context;
    v1::StreamAnswersRequest request;
    request.set_sweep(name);
    auto reader = stub_->StreamAnswers(&context, request);
    std::vector<v1::AnswerRow> rows;
    v1::AnswerRows message;
    while (reader->Read(&message)) {
      rows.insert(rows.end(), message.rows().begin(), message.rows().end());
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return rows;
  }

  std::vector<v1::UnitStatus> Units(const std::string& name) {
    grpc::ClientContext context;
    v1::ListUnitsRequest request;
    request.set_sweep(name);
    request.set_page_size(1000);
    v1::ListUnitsResponse response;
    EXPECT_TRUE(stub_->ListUnits(&context, request, &response).ok());
    return {response.units().begin(), response.units().end()};
  }

  std::filesystem::path folder_;
  OrchestratorOptions options_;
  std::unique_ptr<OrchestratorServer> orchestrator_;
  std::unique_ptr<rpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::OrchestratorService::Stub> stub_;
};

}  // namespace kvscope::orchestrator
