#include "services/inference/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "absl/strings/str_cat.h"

namespace kvscope::inference {

struct Regex::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

namespace {

constexpr char kWhiteSpace[] = R"(\x{09}-\x{0D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A})"
                               R"(\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr uint32_t kMatchLimit = 10'000'000;  // backtracking steps at one start position
constexpr size_t kJitStackMaxBytes = 8 << 20;

// Rewrites \s (also in a class) and \S (outside of one) to the White_Space characters.
std::string WithUnicodeSpaces(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (next == 's') {
        absl::StrAppend(&out, in_class ? "" : "[", kWhiteSpace, in_class ? "" : "]");
      } else if (next == 'S' && !in_class) {
        absl::StrAppend(&out, "[^", kWhiteSpace, "]");
      } else {
        out += c;
        out += next;
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

// What one thread needs to match: kept between calls, since making it costs more than a match.
struct MatchState {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, kJitStackMaxBytes, nullptr);

  MatchState() {
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~MatchState() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
};

}  // namespace

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern) {
  const std::string source = WithUnicodeSpaces(pattern);
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  auto code = std::make_shared<Code>();
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &error_offset,
                             nullptr);
  if (code->code == nullptr) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof(message));
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot compile the regular expression `", std::string(pattern),
        "`: ", reinterpret_cast<const char*>(message), " (at byte ", error_offset, ")"));
  }
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);  // without it pcre2_match interprets
  return Regex(std::move(code));
}

std::vector<ByteRange> Regex::FindAll(std::string_view text) const {
  thread_local MatchState state;
  std::vector<ByteRange> matches;
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (size_t pos = 0; pos < text.size();) {
    const auto match = [&](uint32_t options) {
      return pcre2_match(code_->code, subject, text.size(), pos, PCRE2_NO_UTF_CHECK | options,
                         state.data, state.context);
    };
    int found = match(PCRE2_NOTEMPTY);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = match(PCRE2_NOTEMPTY | PCRE2_NO_JIT);
    if (found < 0) break;
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(state.data);
    if (range[0] >= range[1] || range[1] <= pos) break;  // \K can place a match before its start
    matches.push_back({range[0], range[1]});
    pos = range[1];
  }
  return matches;
}

}  // namespace kvscope::inference
