// Calls any method by its path, as somebody who holds no stub does.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace kvscope::cluster_test {

// Sends the one message `request` (serialised) and waits up to 20 s for the call's end. Each
// response, serialised, goes to `take` as it comes.
absl::Status GenericCall(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
    const std::string& request = "",
    const std::function<void(const std::string& response)>& take = [](const std::string&) {});

}  // namespace kvscope::cluster_test
