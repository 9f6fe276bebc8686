#include "services/inference/tokenizer/token_decoder.h"

#include <optional>

#include "absl/strings/str_join.h"
#include "services/inference/tokenizer/byte_level.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference {
namespace {

using Strings = std::vector<std::string>;

Strings DecodeByteLevel(const Strings& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) AppendFromByteLevel(token, &bytes);
  return {ToValidUtf8(bytes)};
}

// The byte of a token "<0x0A>".
std::optional<char> FallbackByte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = 16 * value + digit;
  }
  return static_cast<char>(value);
}

// Runs of byte tokens become text; a run that is no UTF-8 one U+FFFD a byte.
Strings DecodeByteFallback(const Strings& tokens) {
  Strings out;
  std::string run;
  const auto flush = [&] {
    if (IsValidUtf8(run)) {
      if (!run.empty()) out.push_back(run);
    } else {
      out.insert(out.end(), run.size(), "\xEF\xBF\xBD");
    }
    run.clear();
  };
  for (const std::string& token : tokens) {
    if (const std::optional<char> byte = FallbackByte(token)) {
      run.push_back(*byte);
      continue;
    }
    flush();
    out.push_back(token);
  }
  flush();
  return out;
}

std::string ReplaceAll(std::string_view text, const std::string& from, const std::string& to) {
  std::string out;
  size_t pos = 0;
  for (size_t at; (at = text.find(from, pos)) != std::string_view::npos; pos = at + from.size()) {
    out.append(text.substr(pos, at - pos)).append(to);
  }
  return out.append(text.substr(pos));
}

std::string StripEnds(std::string_view token, const DecoderStep& step) {
  for (size_t i = 0; i < step.start && token.starts_with(step.pattern); ++i) {
    token.remove_prefix(step.pattern.size());
  }
  for (size_t i = 0; i < step.stop && token.ends_with(step.pattern); ++i) {
    token.remove_suffix(step.pattern.size());
  }
  return std::string(token);
}

Strings Apply(const DecoderStep& step, Strings tokens) {
  switch (step.kind) {
    case DecoderStep::kByteLevel:
      return DecodeByteLevel(tokens);
    case DecoderStep::kByteFallback:
      return DecodeByteFallback(tokens);
    case DecoderStep::kFuse:
      return {absl::StrJoin(tokens, "")};
    case DecoderStep::kReplace:
      for (std::string& token : tokens) token = ReplaceAll(token, step.pattern, step.content);
      return tokens;
    case DecoderStep::kStrip:
      for (std::string& token : tokens) token = StripEnds(token, step);
      return tokens;
  }
  return tokens;
}

}  // namespace

std::string DecodeTokens(const std::vector<DecoderStep>& steps,
                         const std::vector<std::string_view>& tokens) {
  if (tokens.empty()) return "";
  if (steps.size() == 1 && steps[0].kind == DecoderStep::kByteLevel) {  // the usual case: no copies
    std::string bytes;
    for (const std::string_view token : tokens) AppendFromByteLevel(token, &bytes);
    return ToValidUtf8(bytes);
  }
  Strings strings(tokens.begin(), tokens.end());
  for (const DecoderStep& step : steps) strings = Apply(step, std::move(strings));
  return absl::StrJoin(strings, "");
}

}  // namespace kvscope::inference
