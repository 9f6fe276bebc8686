// ScriptedWorker: speaks worker.proto line by line, as a test says.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "kvscope/v1/worker.grpc.pb.h"

namespace kvscope::orchestrator {

class ScriptedWorker {
 public:
  ScriptedWorker(const std::shared_ptr<grpc::Channel>& channel, const std::string& name,
                 const std::string& code_version = "v1")
      : stub_(v1::WorkerService::NewStub(channel)), stream_(stub_->Work(&context_)) {
    v1::WorkerMessage hello;
    hello.mutable_hello()->set_worker_id(name);
    hello.mutable_hello()->set_code_version(code_version);
    hello.mutable_hello()->add_devices("cpu");
    stream_->Write(hello);
    welcome_ = Read().welcome();
  }
  ~ScriptedWorker() { Cut(); }

  void Ready() {
    v1::WorkerMessage message;
    message.mutable_ready();
    stream_->Write(message);
  }

  v1::OrchestratorMessage Read() {
    v1::OrchestratorMessage message;
    stream_->Read(&message);
    return message;
  }

  // Reads a whole check and answers it: one token a byte, the presses as they are. `change`: the
  // last word on what is answered.
  v1::CheckReply AnswerCheck(
      const std::string& error = "",
      const std::function<void(v1::CheckReply&)>& change = [](v1::CheckReply&) {}) {
    v1::CheckReply reply;
    bool last = false;
    while (!last) {
      const v1::OrchestratorMessage message = Read();
      EXPECT_TRUE(message.has_check()) << message.ShortDebugString();
      if (!message.has_check()) break;
      const v1::CheckPart& part = message.check();
      EXPECT_LE(message.ByteSizeLong(), size_t{1} << 20);
      if (part.has_spec()) FillReply(part.spec(), reply);
      reply.set_sweep_id(part.sweep_id());
      for (const v1::Passage& passage : part.passages()) {
        reply.set_context_tokens_total(reply.context_tokens_total() +
                                       static_cast<int64_t>(passage.context().size()));
        ++checked_passages_;
      }
      for (v1::ModelCheck& model : *reply.mutable_more_models()) {
        model.set_context_tokens_total(reply.context_tokens_total());
      }
      ++check_parts_;
      last = part.last_part();
    }
    reply.set_error(error);
    change(reply);
    v1::WorkerMessage message;
    *message.mutable_check_reply() = reply;
    stream_->Write(message);
    return reply;
  }

  v1::Lease ReadLease() {
    const v1::OrchestratorMessage message = Read();
    EXPECT_TRUE(message.has_lease()) << message.ShortDebugString();
    return message.lease();
  }

  // One row for every stream; the answer is "NAME of the unit's passage", f1 is 1 - ratio.
  static v1::ResultChunk Compute(const v1::Unit& unit, const std::string& answer = "answer") {
    v1::ResultChunk chunk;
    for (int passage = 0; passage < unit.passages_size(); ++passage) {
      for (int press = 0; press < unit.presses_size(); ++press) {
        for (int ratio = 0; ratio < unit.ratios_size(); ++ratio) {
          v1::CellResult* cell = chunk.add_cells();
          cell->set_passage_index(passage);
          cell->set_press_index(press);
          cell->set_ratio_index(ratio);
          cell->set_question_index(-1);
          cell->mutable_metrics()->set_kept_pair_count(50);
          cell->mutable_metrics()->set_full_pair_count(100);
          for (int question = 0; question < unit.passages(passage).questions_size(); ++question) {
            v1::AnswerResult* row = chunk.add_answers();
            row->set_passage_index(passage);
            row->set_press_index(press);
            row->set_ratio_index(ratio);
            row->set_answer(answer);
            row->mutable_metrics()->set_question_index(question);
            row->mutable_metrics()->set_f1(1 - unit.ratios(ratio));
            row->mutable_metrics()->set_outcome(v1::AnswerMetrics::CORRECT);
          }
        }
      }
    }
    return chunk;
  }

  void SendPart(const v1::Lease& lease, const v1::ResultChunk& chunk, bool last) {
    v1::WorkerMessage message;
    v1::ResultPart* part = message.mutable_result_part();
    part->set_unit_key(lease.unit().key());
    part->set_token(lease.token());
    *part->mutable_chunk() = chunk;
    part->set_last_part(last);
    stream_->Write(message);
  }

  // Sends the whole result; whether it was accepted. CancelUnit messages before the ack are read
  // over.
  bool Finish(const v1::Lease& lease, const std::string& answer = "answer") {
    SendPart(lease, Compute(lease.unit(), answer), true);
    return ReadAck();
  }

  bool ReadAck() {
    v1::OrchestratorMessage message = Read();
    while (message.has_cancel_unit()) message = Read();
    EXPECT_TRUE(message.has_result_ack()) << message.ShortDebugString();
    return message.result_ack().accepted();
  }

  void Fail(const v1::Lease& lease, const std::string& error, bool retryable) {
    v1::WorkerMessage message;
    message.mutable_unit_failed()->set_unit_key(lease.unit().key());
    message.mutable_unit_failed()->set_token(lease.token());
    message.mutable_unit_failed()->set_error(error);
    message.mutable_unit_failed()->set_retryable(retryable);
    stream_->Write(message);
  }

  void Return(const v1::Lease& lease) {
    v1::WorkerMessage message;
    message.mutable_unit_returned()->set_unit_key(lease.unit().key());
    message.mutable_unit_returned()->set_token(lease.token());
    stream_->Write(message);
  }

  void Heartbeat(const v1::Lease& lease, int64_t streams) {
    v1::WorkerMessage message;
    message.mutable_heartbeat()->set_unit_key(lease.unit().key());
    message.mutable_heartbeat()->set_token(lease.token());
    message.mutable_heartbeat()->set_streams_done(streams);
    stream_->Write(message);
  }

  // Works until nothing more comes for a sweep of `units` units.
  void WorkOff(int units) {
    for (int i = 0; i < units; ++i) {
      Ready();
      EXPECT_TRUE(Finish(ReadLease()));
    }
  }

  // Drops the stream without a word; returns its status.
  grpc::Status Cut() {
    context_.TryCancel();
    return End();
  }
  // Says that it has nothing more to say, and reads to the end.
  grpc::Status HangUp() {
    stream_->WritesDone();
    return End();
  }
  grpc::Status End() {
    if (ended_) return status_;
    ended_ = true;
    v1::OrchestratorMessage rest;
    while (stream_->Read(&rest)) {
    }
    status_ = stream_->Finish();
    return status_;
  }

  const v1::Welcome& welcome() const { return welcome_; }
  int checked_passages() const { return checked_passages_; }
  int check_parts() const { return check_parts_; }

 private:
  static void FillReply(const v1::SweepSpec& spec, v1::CheckReply& reply) {
    FillModel("tiny", spec.model(), *reply.mutable_model());
    for (const std::string& model : spec.more_models()) {
      FillModel(model, model, *reply.add_more_models()->mutable_model());
    }
    *reply.mutable_presses() = spec.presses();
  }

  static void FillModel(const std::string& name, const std::string& directory,
                        v1::ModelInfo& model) {
    model.set_name(name);
    model.set_weights_digest("weights of " + directory);
    model.set_device("cpu");
    model.set_dtype("float32");
    model.set_code_version("v1");
    model.set_parameter_count(1000);
  }

  std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::OrchestratorMessage>> stream_;
  v1::Welcome welcome_;
  int checked_passages_ = 0;
  int check_parts_ = 0;
  bool ended_ = false;
  grpc::Status status_;
};

}  // namespace kvscope::orchestrator
