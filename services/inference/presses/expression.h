// The grammar of press expressions, without any meaning: names, arguments, parentheses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::inference {

struct Argument;

// A word with its arguments: `chunk(snapkv, chunk_length=64)`, `snapkv`, or a value, `64`.
struct Expression {
  std::string word;  // letters, digits and _ . + -
  bool parenthesised = false;
  std::vector<Argument> arguments;
};

struct Argument {
  std::string keyword;  // empty: positional
  Expression value;
};

// Errors: InvalidArgument that says what was found where. Text longer than 1,000 bytes or nested
// deeper than 8 is refused. The caller quotes the text.
absl::StatusOr<Expression> ParseExpression(std::string_view text);

}  // namespace kvscope::inference
