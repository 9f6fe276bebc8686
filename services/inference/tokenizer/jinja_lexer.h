// Cuts a template into tokens. White space control happens here: `-` beside a tag, and
// transformers' settings trim_blocks (no newline after a block tag) and lstrip_blocks (no
// indentation before one).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::inference::jinja {

struct Token {
  enum Kind {
    kText,           // text: what is printed as it stands
    kBlockBegin,     // {%
    kBlockEnd,       // %}
    kVariableBegin,  // {{
    kVariableEnd,    // }}
    kName,           // text: the name
    kString,         // text: the value, escapes resolved
    kInteger,        // text: decimal digits or 0x..., without underscores
    kFloat,
    kOperator,  // text: the operator
    kEnd,
  };
  Kind kind = kEnd;
  std::string text;
  int line = 1;
};

// `source` must be valid UTF-8. The last token is kEnd.
// Errors: InvalidArgument "line N: ..." for an unclosed tag, comment or string, or a stray
// character.
absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace kvscope::inference::jinja
