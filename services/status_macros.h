// Early return for functions that yield absl::Status or absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// KVSCOPE_RETURN_IF_ERROR(expression): returns the status of `expression` unless it is OK.
#define KVSCOPE_RETURN_IF_ERROR(expression)                                   \
  do {                                                                        \
    if (::absl::Status kvscope_status = (expression); !kvscope_status.ok()) { \
      return kvscope_status;                                                  \
    }                                                                         \
  } while (false)

// KVSCOPE_ASSIGN_OR_RETURN(auto x, expression): moves the value out of a StatusOr or returns its
// status. Declares a variable, so it is two statements: use braces after an `if`.
#define KVSCOPE_ASSIGN_OR_RETURN(target, expression) \
  KVSCOPE_ASSIGN_OR_RETURN_NAMED(KVSCOPE_JOIN(kvscope_status_or_, __LINE__), target, expression)

#define KVSCOPE_ASSIGN_OR_RETURN_NAMED(temporary, target, expression) \
  auto temporary = (expression);                                      \
  if (!temporary.ok()) return std::move(temporary).status();          \
  target = *std::move(temporary)

#define KVSCOPE_JOIN(a, b) KVSCOPE_JOIN_EXPANDED(a, b)
#define KVSCOPE_JOIN_EXPANDED(a, b) a##b
