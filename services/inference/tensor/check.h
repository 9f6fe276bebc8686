// KVSCOPE_CHECK: an invariant of ours that must hold in every build. A broken one is a bug: the
// process says where and stops. Input from outside is refused with an absl::Status instead.
#pragma once

namespace kvscope::inference {

// Prints "file:line: check failed: condition (message)" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const char* message);

}  // namespace kvscope::inference

#define KVSCOPE_CHECK(condition, message)                                         \
  do {                                                                            \
    if (!(condition)) [[unlikely]] {                                              \
      ::kvscope::inference::CheckFailed(__FILE__, __LINE__, #condition, message); \
    }                                                                             \
  } while (false)
