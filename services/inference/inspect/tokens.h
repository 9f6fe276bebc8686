// `kvscope inspect tokens`: what a model's tokenizer makes of text, and of ids.
#pragma once

#include <istream>
#include <ostream>
#include <string>

#include "absl/status/status.h"

namespace kvscope::inference {

struct InspectTokensOptions {
  std::string model_dir;  // only the tokenizer's files are needed
  bool decode = false;
  bool lines = false;
  bool add_special_tokens = false;   // encoding: apply the post-processor's template
  bool skip_special_tokens = false;  // decoding: leave special tokens out
  bool offsets = false;              // encoding: also "offsets", [begin, end) in code points
};

// Encoding: all of `in` is the text, byte for byte; out comes {"ids":[...]} and a newline.
// Decoding: `in` is a JSON list of ids, or an object with one as `ids`; out comes the text as it
// is. With `lines` every line of `in` is one JSON string (decoding: one list) and so is every line
// of output: a list of ids (with offsets: the object), a JSON string. Errors: those of
// Tokenizer::Load; InvalidArgument for input that is not as said, with its line.
absl::Status InspectTokens(const InspectTokensOptions& options, std::istream& in,
                           std::ostream& out);

}  // namespace kvscope::inference
