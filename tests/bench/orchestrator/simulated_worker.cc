#include "tests/bench/orchestrator/simulated_worker.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/rpc/channel.h"

namespace kvscope::bench {

SimulatedWorker::SimulatedWorker(const std::string& address, const std::string& name,
                                 const SweepGrid& grid, absl::Duration think)
    : grid_(grid), think_(think), name_(name) {
  grpc::ChannelArguments arguments = rpc::ChannelArguments();
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else workers share a connection
  stub_ = v1::WorkerService::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  stream_ = stub_->Work(&context_);
}

void SimulatedWorker::Stop() { context_.TryCancel(); }

WorkerLog SimulatedWorker::Work() {
  v1::WorkerMessage hello;
  hello.mutable_hello()->set_worker_id(name_);
  hello.mutable_hello()->set_code_version(kCodeVersion);
  hello.mutable_hello()->add_devices("cpu");
  Send(hello, "Hello");
  v1::OrchestratorMessage message;
  while (stream_->Read(&message)) {
    switch (message.message_case()) {
      case v1::OrchestratorMessage::kWelcome:
        SendReady();
        break;
      case v1::OrchestratorMessage::kCheck:
        TakeCheckPart(message.check());
        break;
      case v1::OrchestratorMessage::kLease:
        TakeLease(message.lease());
        break;
      case v1::OrchestratorMessage::kResultAck:
        log_.ack.push_back(absl::Now() - sent_at_);
        if (message.result_ack().accepted()) {
          log_.accepted_keys.push_back(message.result_ack().unit_key());
        } else {
          log_.errors.push_back(absl::StrCat("refused: ", message.result_ack().unit_key()));
        }
        SendReady();
        break;
      case v1::OrchestratorMessage::kCancelUnit:
        log_.errors.push_back(absl::StrCat("cancelled: ", message.cancel_unit().unit_key()));
        break;
      default:
        break;
    }
  }
  const grpc::Status status = stream_->Finish();
  if (!status.ok() && status.error_code() != grpc::StatusCode::CANCELLED) {
    log_.errors.push_back(absl::StrCat("stream: ", std::string(status.error_message())));
  }
  return std::move(log_);
}

void SimulatedWorker::Send(const v1::WorkerMessage& message, const char* what) {
  if (!stream_->Write(message)) log_.errors.push_back(absl::StrCat("not sent: ", what));
}

void SimulatedWorker::SendReady() {
  v1::WorkerMessage message;
  message.mutable_ready();
  ready_at_ = absl::Now();
  Send(message, "Ready");
}

void SimulatedWorker::TakeCheckPart(const v1::CheckPart& part) {
  if (part.has_spec()) check_ = MakeCheckReply(grid_, part.sweep_id(), part.spec());
  if (!part.last_part()) return;
  v1::WorkerMessage message;
  *message.mutable_check_reply() = check_;
  Send(message, "CheckReply");
  SendReady();
}

void SimulatedWorker::TakeLease(const v1::Lease& lease) {
  if (leased_) log_.dispatch.push_back(absl::Now() - ready_at_);
  leased_ = true;
  if (think_ > absl::ZeroDuration()) absl::SleepFor(think_);
  std::vector<v1::ResultChunk> chunks = MakeResult(grid_, lease.unit());
  for (size_t i = 0; i < chunks.size(); ++i) {
    v1::WorkerMessage message;
    v1::ResultPart& part = *message.mutable_result_part();
    part.set_unit_key(lease.unit().key());
    part.set_token(lease.token());
    *part.mutable_chunk() = std::move(chunks[i]);
    part.set_last_part(i + 1 == chunks.size());
    Send(message, "ResultPart");
  }
  sent_at_ = absl::Now();
}

}  // namespace kvscope::bench
