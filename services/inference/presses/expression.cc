#include "services/inference/presses/expression.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace kvscope::inference {
namespace {

constexpr size_t kMaxBytes = 1000;
constexpr int kMaxDepth = 8;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<Expression> Parse() {
    absl::StatusOr<Expression> expression = ParseNested(1);
    if (expression.ok() && Peek() != '\0') return Unexpected("the end");
    return expression;
  }

 private:
  absl::StatusOr<Expression> ParseNested(int depth) {
    if (depth > kMaxDepth) {
      return absl::InvalidArgumentError(absl::StrCat("nested deeper than ", kMaxDepth, " levels"));
    }
    Expression expression{.word = TakeWord(), .parenthesised = false, .arguments = {}};
    if (expression.word.empty()) return Unexpected("a name");
    if (!Take('(')) return expression;
    expression.parenthesised = true;
    if (Take(')')) return expression;
    do {
      absl::StatusOr<Argument> argument = ParseArgument(depth);
      if (!argument.ok()) return argument.status();
      expression.arguments.push_back(*std::move(argument));
    } while (Take(','));
    if (!Take(')')) return Unexpected("\",\" or \")\"");
    return expression;
  }

  absl::StatusOr<Argument> ParseArgument(int depth) {
    Argument argument;
    const size_t begin = position_;
    std::string word = TakeWord();
    if (!word.empty() && Take('=')) {
      argument.keyword = std::move(word);
    } else {
      position_ = begin;
    }
    absl::StatusOr<Expression> value = ParseNested(depth + 1);
    if (!value.ok()) return value.status();
    argument.value = *std::move(value);
    return argument;
  }

  // The next character that is no space; '\0' at the end (and for a NUL, which no rule takes).
  char Peek() {
    while (position_ < text_.size() && absl::ascii_isspace(text_[position_])) ++position_;
    return position_ < text_.size() ? text_[position_] : '\0';
  }

  bool Take(char expected) {
    if (Peek() != expected) return false;
    ++position_;
    return true;
  }

  std::string TakeWord() {
    Peek();
    const size_t begin = position_;
    while (position_ < text_.size() && IsWordCharacter(text_[position_])) ++position_;
    return std::string(text_.substr(begin, position_ - begin));
  }

  static bool IsWordCharacter(char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '+' || c == '-';
  }

  absl::Status Unexpected(std::string_view expected) {
    Peek();
    const std::string found =
        position_ < text_.size()
            ? absl::StrCat("\"", absl::CEscape(std::string(1, text_[position_])),
                           "\" at character ", position_ + 1)
            : "the end";
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", std::string(expected), ", found ", found));
  }

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace

absl::StatusOr<Expression> ParseExpression(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", text.size(), " bytes; at most ", kMaxBytes, " are allowed"));
  }
  if (text.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("has a NUL byte");
  }
  return Parser(text).Parse();
}

}  // namespace kvscope::inference
