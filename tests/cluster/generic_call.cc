#include "tests/cluster/generic_call.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "services/rpc/grpc_status.h"

namespace kvscope::cluster_test {
namespace {

// The next event; every operation has one.
bool Next(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return ok;
}

std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(slice.begin(), slice.end());
  return bytes;
}

}  // namespace

absl::Status GenericCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                         const std::string& request,
                         const std::function<void(const std::string& response)>& take) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const auto call = stub.PrepareCall(&context, path, &queue);
  call->StartCall(nullptr);
  bool going = Next(queue);
  if (going) {
    const grpc::Slice slice(request);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    going = Next(queue);
  }
  grpc::ByteBuffer response;
  while (going) {
    call->Read(&response, nullptr);
    going = Next(queue);
    if (going) take(Bytes(response));
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  Next(queue);
  return rpc::FromGrpc(status);
}

}  // namespace kvscope::cluster_test
