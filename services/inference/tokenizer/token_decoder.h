// The `decoder` of a tokenizer.json: the strings of tokens become text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/inference/tokenizer/tokenizer_json.h"

namespace kvscope::inference {

// `tokens` (valid UTF-8) after all steps, joined. The result is valid UTF-8.
std::string DecodeTokens(const std::vector<DecoderStep>& steps,
                         const std::vector<std::string_view>& tokens);

}  // namespace kvscope::inference
