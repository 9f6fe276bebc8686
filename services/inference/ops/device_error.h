// DeviceError: what a backend throws where its device cannot go on. Host memory is not concerned.
//
// The engine's entry points turn it into a status (StatusOf); nothing between them catches it, so
// that every op does not have to return one.
#pragma once

#include <stdexcept>
#include <string>

#include "absl/status/status.h"

namespace kvscope::inference {

// Thrown across the boundary of a library that is opened at run time: hence the visibility.
class [[gnu::visibility("default")]] DeviceError : public std::runtime_error {
 public:
  enum class Kind {
    kOutOfMemory,  // what was asked for and what was free; the device works on
    kFailed,       // the device, or its driver, is of no use to this process any more
  };

  DeviceError(Kind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

// ResourceExhausted for kOutOfMemory, Aborted for kFailed.
inline absl::Status StatusOf(const DeviceError& error) {
  return error.kind() == DeviceError::Kind::kOutOfMemory
             ? absl::ResourceExhaustedError(error.what())
             : absl::AbortedError(error.what());
}

// What `work` returns, a status or a value or status; where it throws a DeviceError, its status.
template <class Work>
auto CatchDeviceErrors(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const DeviceError& error) {
    return StatusOf(error);
  }
}

}  // namespace kvscope::inference
