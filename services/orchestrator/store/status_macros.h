// Early returns on errors, for functions that return absl::Status or absl::StatusOr.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define KVSCOPE_STORE_CONCAT2(a, b) a##b
#define KVSCOPE_STORE_CONCAT(a, b) KVSCOPE_STORE_CONCAT2(a, b)

#define KVSCOPE_TRY(expression)                                     \
  do {                                                              \
    if (absl::Status try_status = (expression); !try_status.ok()) { \
      return try_status;                                            \
    }                                                               \
  } while (false)

// KVSCOPE_TRY_SET(auto row, Read(...)): declares (or assigns) the value, or returns the error.
#define KVSCOPE_TRY_SET(target, expression) \
  KVSCOPE_TRY_SET_AS(KVSCOPE_STORE_CONCAT(try_value_, __LINE__), target, expression)
#define KVSCOPE_TRY_SET_AS(value, target, expression) \
  auto value = (expression);                          \
  if (!value.ok()) return value.status();             \
  target = *std::move(value)
