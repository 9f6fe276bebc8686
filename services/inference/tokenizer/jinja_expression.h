// Parses expressions; the statement parser (jinja_parser.cc) is its user.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/inference/tokenizer/jinja_ast.h"
#include "services/inference/tokenizer/jinja_lexer.h"

namespace kvscope::inference::jinja {

// The tokens and the first error. After an error every further token reads as kEnd, so that parsing
// comes to its end on its own.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& Peek(size_t ahead = 0) const {
    const size_t at = pos_ + ahead;
    return status_.ok() && at < tokens_.size() ? tokens_[at] : tokens_.back();
  }
  Token Next();
  bool IsOperator(std::string_view op) const {
    return Peek().kind == Token::kOperator && Peek().text == op;
  }
  bool IsName(std::string_view name) const {
    return Peek().kind == Token::kName && Peek().text == name;
  }
  bool SkipOperator(std::string_view op);
  bool SkipName(std::string_view name);
  void ExpectOperator(std::string_view op, std::string_view where);
  std::string ExpectName(std::string_view where);

  void Fail(int line, const std::string& problem);
  const absl::Status& status() const { return status_; }

  // Counts nested constructs; false (and an error) where they are too many.
  bool Enter();
  void Leave() { --nesting_; }

 private:
  std::vector<Token> tokens_;  // the last is kEnd
  size_t pos_ = 0;
  int nesting_ = 0;
  absl::Status status_;
};

// Never null; what it returns after an error has no meaning.
ExprPtr ParseExpression(TokenStream* tokens, bool with_condition = true);

// As ParseExpression, but `a, b` is a tuple.
ExprPtr ParseTuple(TokenStream* tokens, bool with_condition = true);

}  // namespace kvscope::inference::jinja
