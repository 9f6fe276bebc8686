#include "services/inference/tokenizer/jinja_parser.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/jinja_expression.h"
#include "services/inference/tokenizer/jinja_lexer.h"

namespace kvscope::inference::jinja {
namespace {

class StatementParser {
 public:
  explicit StatementParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  absl::StatusOr<Template> Run() {
    Template result;
    result.body = Body({}, "");
    if (!tokens_.status().ok()) return tokens_.status();
    return result;
  }

 private:
  // Statements up to `{% WORD`, WORD one of `ends` (left standing behind the `{%`), or, without
  // `ends`, up to the end of the template.
  Block Body(std::initializer_list<std::string_view> ends, std::string_view construct) {
    Block body;
    const int opened = tokens_.Peek().line;
    if (!tokens_.Enter()) return body;
    for (;;) {
      const Token token = tokens_.Next();
      if (token.kind == Token::kEnd) {
        if (ends.size() > 0) {
          tokens_.Fail(opened, absl::StrCat("`", std::string(construct), "` is not closed"));
        }
        break;
      }
      if (token.kind == Token::kBlockBegin && AtOneOf(ends)) break;
      Statement statement;
      statement.line = token.line;
      if (token.kind == Token::kText) {
        statement.kind = Statement::kText;
        statement.text = token.text;
      } else if (token.kind == Token::kVariableBegin) {
        statement.kind = Statement::kPrint;
        statement.expr = ParseTuple(&tokens_);
        EndTag(Token::kVariableEnd, "}}");
      } else {
        Tag(&statement);
      }
      body.push_back(std::move(statement));
    }
    tokens_.Leave();
    return body;
  }

  bool AtOneOf(std::initializer_list<std::string_view> words) const {
    for (const std::string_view word : words) {
      if (tokens_.IsName(word)) return true;
    }
    return false;
  }

  void EndTag(Token::Kind kind, std::string_view shown) {
    if (tokens_.Peek().kind == kind) {
      tokens_.Next();
      return;
    }
    tokens_.Fail(
        tokens_.Peek().line,
        absl::StrCat("`", std::string(shown), "` is expected before `", tokens_.Peek().text, "`"));
  }
  void EndBlock() { EndTag(Token::kBlockEnd, "%}"); }

  // Behind `{%`.
  void Tag(Statement* statement) {
    const std::string word = tokens_.ExpectName("as a tag");
    if (word == "if") return If(statement);
    if (word == "for") return For(statement);
    if (word == "set") return Set(statement);
    if (word == "macro") return Macro(statement);
    if (word == "generation") {
      statement->kind = Statement::kBlock;
      EndBlock();
      const int loop_nesting = std::exchange(loop_nesting_, 0);  // no break out of it
      statement->body = Closed("endgeneration", word);
      loop_nesting_ = loop_nesting;
      return;
    }
    if (word == "break" || word == "continue") {
      statement->kind = word == "break" ? Statement::kBreak : Statement::kContinue;
      if (loop_nesting_ == 0) {
        tokens_.Fail(statement->line, absl::StrCat("`", word, "` stands outside a loop"));
      }
      return EndBlock();
    }
    tokens_.Fail(statement->line,
                 absl::StrCat("the tag `", word,
                              "` is not known; if, for, set, macro, raw, generation, break and "
                              "continue are"));
  }

  // The body up to `{% END %}`.
  Block Closed(std::string_view end, std::string_view construct) {
    Block body = Body({end}, construct);
    tokens_.SkipName(end);
    EndBlock();
    return body;
  }

  void If(Statement* statement) {
    statement->kind = Statement::kIf;
    do {
      ExprPtr condition = ParseTuple(&tokens_);
      EndBlock();
      statement->branches.emplace_back(std::move(condition), Body({"elif", "else", "endif"}, "if"));
    } while (tokens_.SkipName("elif"));
    if (tokens_.SkipName("else")) {
      EndBlock();
      statement->body = Body({"endif"}, "if");
    }
    tokens_.SkipName("endif");
    EndBlock();
  }

  void For(Statement* statement) {
    statement->kind = Statement::kFor;
    statement->target = Targets();
    if (!tokens_.SkipName("in")) tokens_.Fail(statement->line, "`in` is expected in `for`");
    statement->expr = ParseTuple(&tokens_, /*with_condition=*/false);
    if (tokens_.SkipName("if")) statement->filter = ParseExpression(&tokens_);
    if (tokens_.IsName("recursive")) {
      tokens_.Fail(statement->line, "`for ... recursive` is not supported");
    }
    EndBlock();
    ++loop_nesting_;
    statement->body = Body({"else", "endfor"}, "for");
    --loop_nesting_;
    if (tokens_.SkipName("else")) {
      EndBlock();
      statement->else_body = Body({"endfor"}, "for");
    }
    tokens_.SkipName("endfor");
    EndBlock();
  }

  // `a`, `a, b`, `(a, b)`.
  Target Targets() {
    Target first = OneTarget();
    if (!tokens_.IsOperator(",")) return first;
    Target all;
    all.parts.push_back(std::move(first));
    while (tokens_.SkipOperator(",")) all.parts.push_back(OneTarget());
    return all;
  }

  Target OneTarget() {
    Target target;
    if (tokens_.SkipOperator("(")) {
      if (!tokens_.Enter()) return target;
      target = Targets();
      tokens_.ExpectOperator(")", "a target");
      tokens_.Leave();
      return target;
    }
    target.name = tokens_.ExpectName("to assign to");
    if (tokens_.SkipOperator(".")) target.attribute = tokens_.ExpectName("after a dot");
    return target;
  }

  void Set(Statement* statement) {
    statement->target = Targets();
    if (tokens_.SkipOperator("=")) {
      statement->kind = Statement::kSet;
      statement->expr = ParseTuple(&tokens_);
      return EndBlock();
    }
    statement->kind = Statement::kSetBlock;
    if (tokens_.IsOperator("|")) {
      tokens_.Fail(statement->line, "a filter in `set` without `=` is not supported");
    }
    EndBlock();
    statement->body = Closed("endset", "set");
  }

  void Macro(Statement* statement) {
    statement->kind = Statement::kMacro;
    statement->text = tokens_.ExpectName("as a macro");
    if (macro_or_loop_nesting() > 0) {
      tokens_.Fail(statement->line, "a macro within a loop or a macro is not supported");
    }
    tokens_.ExpectOperator("(", "a macro");
    while (tokens_.status().ok() && !tokens_.SkipOperator(")")) {
      Parameter parameter;
      parameter.name = tokens_.ExpectName("as a parameter");
      if (tokens_.SkipOperator("=")) parameter.default_value = ParseExpression(&tokens_);
      statement->parameters.push_back(std::move(parameter));
      if (!tokens_.IsOperator(")")) tokens_.ExpectOperator(",", "a macro");
    }
    EndBlock();
    ++macro_nesting_;
    statement->body = Closed("endmacro", "macro");
    --macro_nesting_;
  }

  int macro_or_loop_nesting() const { return macro_nesting_ + loop_nesting_; }

  TokenStream tokens_;
  int loop_nesting_ = 0;
  int macro_nesting_ = 0;
};

}  // namespace

absl::StatusOr<Template> ParseTemplate(std::string_view source) {
  absl::StatusOr<std::vector<Token>> tokens = Tokenize(source);
  if (!tokens.ok()) return tokens.status();
  return StatementParser(*std::move(tokens)).Run();
}

}  // namespace kvscope::inference::jinja
