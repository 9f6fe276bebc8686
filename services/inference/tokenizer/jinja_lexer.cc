#include "services/inference/tokenizer/jinja_lexer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/jinja_value.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference::jinja {
namespace {

constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

// Newlines become \n; one at the very end is dropped, as Jinja does.
std::string NormalizeNewlines(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      out += '\n';
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::string_view TrimRight(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = CodePointBefore(text, text.size());
    if (!IsPythonSpace(c.value)) break;
    text.remove_suffix(c.size_bytes);
  }
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (status_.ok() && pos_ < source_.size()) Text();
    if (!status_.ok()) return status_;
    Emit(Token::kEnd, "");
    return std::move(tokens_);
  }

 private:
  bool At(std::string_view text) const { return source_.substr(pos_).starts_with(text); }

  void Fail(int line, const std::string& problem) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", problem));
    }
  }

  void Emit(Token::Kind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), line_});
  }

  void Advance(size_t count) {
    line_ +=
        static_cast<int>(std::count(source_.begin() + pos_, source_.begin() + pos_ + count, '\n'));
    pos_ += count;
  }

  void SkipSpaces() {
    while (pos_ < source_.size()) {
      const CodePoint c = CodePointAt(source_, pos_);
      if (!IsPythonSpace(c.value)) break;
      Advance(c.size_bytes);
    }
  }

  // Text up to the next tag, then the tag.
  void Text() {
    size_t end = pos_;
    while (end < source_.size()) {
      end = std::min(source_.find('{', end), source_.size());
      if (end + 1 < source_.size() &&
          std::string_view("{%#").find(source_[end + 1]) != std::string_view::npos) {
        break;
      }
      end = std::min(end + 1, source_.size());
    }
    std::string_view text = source_.substr(pos_, end - pos_);
    const bool starts_line = pos_ == 0 || source_[pos_ - 1] == '\n';
    const char kind = end < source_.size() ? source_[end + 1] : '\0';
    const char sign = end + 2 < source_.size() ? source_[end + 2] : '\0';
    if (kind != '\0' && sign == '-') {
      text = TrimRight(text);
    } else if (kind != '\0' && kind != '{' && sign != '+') {
      const size_t line_start = text.rfind('\n') + 1;  // npos + 1 == 0
      if ((line_start > 0 || starts_line) && TrimRight(text.substr(line_start)).empty()) {
        text = text.substr(0, line_start);
      }
    }
    if (!text.empty()) Emit(Token::kText, std::string(text));
    Advance(end - pos_);
    if (kind == '\0') return;
    Advance(sign == '-' || sign == '+' ? 3 : 2);
    if (kind == '#') {
      Comment();
    } else if (kind == '%' && AtRawTag()) {
      Raw();
    } else {
      Tag(kind == '%' ? "%}" : "}}", kind == '%');
    }
  }

  // Consumes a tag's end and the white space it swallows; false if something else stands here.
  bool TagEnd(std::string_view end, bool swallow_newline) {
    const bool strips = At(absl::StrCat("-", std::string(end)));
    const bool keeps = At(absl::StrCat("+", std::string(end)));
    if (!strips && !keeps && !At(end)) return false;
    Advance(end.size() + (strips || keeps ? 1 : 0));
    if (strips) {
      SkipSpaces();
    } else if (!keeps && swallow_newline && At("\n")) {
      Advance(1);
    }
    return true;
  }

  void Comment() {
    const int line = line_;
    const size_t end = source_.find("#}", pos_);
    if (end == std::string_view::npos) return Fail(line, "the comment {# is not closed");
    const bool has_sign = end > pos_ && (source_[end - 1] == '-' || source_[end - 1] == '+');
    Advance(end - pos_ - (has_sign ? 1 : 0));
    TagEnd("#}", true);
  }

  // Whether a block `KEYWORD %}` starts at `pos`; `*after` is then behind its name.
  bool BlockNamed(std::string_view name, size_t pos, size_t* after) const {
    while (pos < source_.size() && absl::ascii_isspace(source_[pos])) ++pos;
    if (!source_.substr(pos).starts_with(name)) return false;
    pos += name.size();
    while (pos < source_.size() && absl::ascii_isspace(source_[pos])) ++pos;
    *after = pos;
    const std::string_view rest = source_.substr(pos);
    return rest.starts_with("%}") || rest.starts_with("-%}") || rest.starts_with("+%}");
  }

  bool AtRawTag() const {
    size_t after;
    return BlockNamed("raw", pos_, &after);
  }

  void Raw() {
    const int line = line_;
    size_t after = 0;
    BlockNamed("raw", pos_, &after);
    Advance(after - pos_);
    TagEnd("%}", true);
    for (size_t at = source_.find("{%", pos_); at != std::string_view::npos;
         at = source_.find("{%", at + 2)) {
      const bool strips = source_.substr(at + 2).starts_with('-');
      if (!BlockNamed("endraw", at + 2 + (strips ? 1 : 0), &after)) continue;
      const std::string_view text = source_.substr(pos_, at - pos_);
      Emit(Token::kText, std::string(strips ? TrimRight(text) : text));
      Advance(after - pos_);
      TagEnd("%}", true);
      return;
    }
    Fail(line, "{% raw %} is not closed");
  }

  void Tag(std::string_view end, bool is_block) {
    const int line = line_;
    Emit(is_block ? Token::kBlockBegin : Token::kVariableBegin, "");
    int open_brackets = 0;
    while (status_.ok()) {
      SkipSpaces();
      if (pos_ >= source_.size()) {
        return Fail(line, absl::StrCat("the tag is not closed by ", std::string(end)));
      }
      const int end_line = line_;
      if (open_brackets == 0 && TagEnd(end, is_block)) {
        tokens_.push_back({is_block ? Token::kBlockEnd : Token::kVariableEnd, "", end_line});
        return;
      }
      open_brackets = std::max(0, open_brackets + Lexeme());
    }
  }

  // One token within a tag. Returns +1 for an opening bracket, -1 for a closing one.
  int Lexeme() {
    const char c = source_[pos_];
    if (c == '\'' || c == '"') {
      String(c);
    } else if (absl::ascii_isdigit(c)) {
      Number();
    } else if (absl::ascii_isalpha(c) || c == '_') {
      size_t end = pos_;
      while (end < source_.size() && (absl::ascii_isalnum(source_[end]) || source_[end] == '_'))
        ++end;
      Emit(Token::kName, std::string(source_.substr(pos_, end - pos_)));
      Advance(end - pos_);
    } else {
      return Operator();
    }
    return 0;
  }

  int Operator() {
    for (const std::string_view op : kOperators) {
      if (!At(op)) continue;
      Emit(Token::kOperator, std::string(op));
      Advance(op.size());
      const bool opens = op == "(" || op == "[" || op == "{";
      const bool closes = op == ")" || op == "]" || op == "}";
      return opens ? 1 : closes ? -1 : 0;
    }
    const CodePoint c = CodePointAt(source_, pos_);
    Fail(line_, absl::StrCat("unexpected character `",
                             std::string(source_.substr(pos_, c.size_bytes)), "` in a tag"));
    return 0;
  }

  void Number() {
    size_t end = pos_;
    const auto digits = [&](auto is_digit) {
      while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
    };
    const auto digit_at = [&](size_t at) {
      return at < source_.size() && absl::ascii_isdigit(source_[at]);
    };
    bool is_float = false;
    if (At("0x") || At("0X")) {
      end += 2;
      digits(absl::ascii_isxdigit);
    } else {
      digits(absl::ascii_isdigit);
      // After a dot, as in `pair.0.1`, digits are an index.
      const bool is_index = pos_ > 0 && source_[pos_ - 1] == '.';
      if (!is_index && end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
        is_float = true;
        ++end;
        digits(absl::ascii_isdigit);
      }
      if (!is_index && end < source_.size() && (source_[end] | 0x20) == 'e') {
        const size_t sign =
            end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-');
        if (digit_at(end + 1 + sign)) {
          is_float = true;
          end += 1 + sign;
          digits(absl::ascii_isdigit);
        }
      }
    }
    std::string text(source_.substr(pos_, end - pos_));
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    Emit(is_float ? Token::kFloat : Token::kInteger, std::move(text));
    Advance(end - pos_);
  }

  void String(char quote) {
    const int line = line_;
    std::string value;
    size_t at = pos_ + 1;
    while (at < source_.size() && source_[at] != quote) {
      if (source_[at] == '\\' && at + 1 < source_.size()) {
        Escape(&at, &value);
      } else {
        value += source_[at++];
      }
    }
    if (at >= source_.size()) return Fail(line, "the string is not closed");
    Emit(Token::kString, std::move(value));
    Advance(at + 1 - pos_);
  }

  // Appends the character of `count` hexadecimal digits at `*at`, if they are there.
  bool HexEscape(size_t count, size_t* at, std::string* value) {
    const std::string_view digits = source_.substr(*at, count);
    char32_t c = 0;
    for (const char digit : digits) {
      if (!absl::ascii_isxdigit(digit)) return false;
      c = 16 * c + (absl::ascii_isdigit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    if (digits.size() < count || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return false;
    AppendUtf8(c, value);
    *at += count;
    return true;
  }

  // A Python escape at `*at` (the backslash). An unknown one keeps its backslash.
  void Escape(size_t* at, std::string* value) {
    static constexpr std::string_view kNames = "ntrabfv\\'\"\n";
    static constexpr std::string_view kValues = "\n\t\r\a\b\f\v\\'\"";
    const char c = source_[*at + 1];
    *at += 2;
    if (const size_t known = kNames.find(c); known != std::string_view::npos) {
      if (known < kValues.size()) *value += kValues[known];  // a newline is left out
      return;
    }
    if (c >= '0' && c <= '7') {
      char32_t octal = c - '0';
      for (int i = 0; i < 2 && *at < source_.size() && source_[*at] >= '0' && source_[*at] <= '7';
           ++i) {
        octal = 8 * octal + (source_[(*at)++] - '0');
      }
      AppendUtf8(octal, value);
      return;
    }
    const size_t hex_digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (hex_digits != 0) {
      if (!HexEscape(hex_digits, at, value)) {
        Fail(line_, absl::StrCat("a bad \\", std::string(1, c), " escape in a string"));
      }
      return;
    }
    *value += '\\';
    *value += c;
  }

  const std::string_view source_;
  size_t pos_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source) {
  const std::string normalized = NormalizeNewlines(source);
  return Lexer(normalized).Run();
}

}  // namespace kvscope::inference::jinja
