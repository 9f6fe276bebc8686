// Whether an answer stands in its passage, as scoring sees it: case and spaces do not count.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvscope::orchestrator {

// Lower case, every run of white space one blank, none at the ends.  Input: UTF-8.
std::string NormalizeText(std::string_view text);

// The same, with the code point of `text` that each byte of the result stands for.
std::string NormalizeText(std::string_view text, std::vector<uint32_t>* sources);

// Whether `answer` occurs in a context that NormalizeText has been through.
bool Occurs(std::string_view answer, const std::string& normalized_context);

// Whether `answer` says that the passage has no answer.
bool Abstains(std::string_view answer);

// Runs of anything but white space.
int CountWords(std::string_view text);

}  // namespace kvscope::orchestrator
