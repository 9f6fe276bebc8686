#include "services/inference/tokenizer/jinja_expression.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kvscope::inference::jinja {
namespace {

constexpr int kMaxNesting = 100;  // of constructs within each other
constexpr int kMaxHeight = 300;   // of a tree, which `a + b + ...` also makes high

std::string Shown(const Token& token) {
  switch (token.kind) {
    case Token::kText:
      return "text";
    case Token::kBlockBegin:
      return "`{%`";
    case Token::kBlockEnd:
      return "`%}`";
    case Token::kVariableBegin:
      return "`{{`";
    case Token::kVariableEnd:
      return "`}}`";
    case Token::kEnd:
      return "the end of the template";
    default:
      return absl::StrCat("`", token.text, "`");
  }
}

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream* tokens) : tokens_(*tokens) {}

  ExprPtr Expression(bool with_condition) {
    if (!tokens_.Enter()) return Node(Expr::kLiteral);
    ExprPtr expr = Or();
    while (with_condition && tokens_.SkipName("if")) {
      ExprPtr node = Node(Expr::kConditional);
      AddChild(node, std::move(expr));
      AddChild(node, Or());
      if (tokens_.SkipName("else")) AddChild(node, Expression(true));
      expr = std::move(node);
    }
    tokens_.Leave();
    return expr;
  }

 private:
  ExprPtr Node(Expr::Kind kind, std::string name = "") {
    auto node = std::make_unique<Expr>();
    node->kind = kind;
    node->line = tokens_.Peek().line;
    node->name = std::move(name);
    return node;
  }

  void Measure(const ExprPtr& node, const ExprPtr& child) {
    if (child) node->height = std::max(node->height, child->height + 1);
    if (node->height > kMaxHeight) tokens_.Fail(node->line, "the expression is too long");
  }
  void AddChild(const ExprPtr& node, ExprPtr child) {
    Measure(node, child);
    node->children.push_back(std::move(child));
  }

  ExprPtr Binary(std::string op, ExprPtr left, ExprPtr right) {
    ExprPtr node = Node(Expr::kBinary, std::move(op));
    AddChild(node, std::move(left));
    AddChild(node, std::move(right));
    return node;
  }

  ExprPtr Or() {
    ExprPtr left = And();
    while (tokens_.SkipName("or")) left = Binary("or", std::move(left), And());
    return left;
  }

  ExprPtr And() {
    ExprPtr left = Not();
    while (tokens_.SkipName("and")) left = Binary("and", std::move(left), Not());
    return left;
  }

  ExprPtr Not() {
    int count = 0;
    while (tokens_.SkipName("not")) ++count;
    ExprPtr expr = Comparison();
    for (int i = 0; i < std::min(count, kMaxHeight); ++i) {
      ExprPtr node = Node(Expr::kUnary, "not");
      AddChild(node, std::move(expr));
      expr = std::move(node);
    }
    return expr;
  }

  std::string SkipComparison() {
    for (const std::string_view op : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (tokens_.SkipOperator(op)) return std::string(op);
    }
    if (tokens_.SkipName("in")) return "in";
    if (tokens_.IsName("not") && tokens_.Peek(1).kind == Token::kName &&
        tokens_.Peek(1).text == "in") {
      tokens_.Next();
      tokens_.Next();
      return "not in";
    }
    return "";
  }

  ExprPtr Comparison() {
    ExprPtr first = Sum();
    std::string op = SkipComparison();
    if (op.empty()) return first;
    ExprPtr node = Node(Expr::kCompare);
    AddChild(node, std::move(first));
    for (; !op.empty(); op = SkipComparison()) {
      node->operators.push_back(op);
      AddChild(node, Sum());
    }
    return node;
  }

  using Level = ExprPtr (ExpressionParser::*)();

  ExprPtr LeftAssociative(std::initializer_list<std::string_view> operators, Level operand) {
    ExprPtr left = (this->*operand)();
    while (tokens_.Peek().kind == Token::kOperator &&
           std::find(operators.begin(), operators.end(), tokens_.Peek().text) != operators.end()) {
      std::string op = tokens_.Next().text;
      left = Binary(std::move(op), std::move(left), (this->*operand)());
    }
    return left;
  }
  ExprPtr Sum() { return LeftAssociative({"+", "-"}, &ExpressionParser::Concatenation); }
  ExprPtr Concatenation() { return LeftAssociative({"~"}, &ExpressionParser::Product); }
  ExprPtr Product() { return LeftAssociative({"*", "/", "//", "%"}, &ExpressionParser::Power); }
  ExprPtr Power() { return LeftAssociative({"**"}, &ExpressionParser::FilteredUnary); }
  ExprPtr FilteredUnary() { return Filters(Unary()); }

  ExprPtr Unary() {
    if (!tokens_.IsOperator("-") && !tokens_.IsOperator("+")) return Postfix(Primary());
    if (!tokens_.Enter()) return Node(Expr::kLiteral);
    ExprPtr node = Node(Expr::kUnary, tokens_.Next().text);
    AddChild(node, Unary());
    tokens_.Leave();
    return Postfix(std::move(node));
  }

  ExprPtr Literal(Value value) {
    ExprPtr node = Node(Expr::kLiteral);
    node->literal = std::move(value);
    return node;
  }

  ExprPtr Number(const Token& token) {
    if (token.kind == Token::kFloat) return Literal(std::strtod(token.text.c_str(), nullptr));
    const bool is_hex = token.text.size() > 1 && (token.text[1] | 0x20) == 'x';
    const char* begin = token.text.data() + (is_hex ? 2 : 0);
    const char* end = token.text.data() + token.text.size();
    int64_t value = 0;
    const auto result = std::from_chars(begin, end, value, is_hex ? 16 : 10);
    if (result.ec != std::errc() || result.ptr != end) {
      tokens_.Fail(token.line, absl::StrCat("the number ", token.text, " is out of range"));
    }
    return Literal(value);
  }

  ExprPtr Primary() {
    const Token token = tokens_.Next();
    switch (token.kind) {
      case Token::kName:
        return Named(token);
      case Token::kString: {
        std::string text = token.text;
        while (tokens_.Peek().kind == Token::kString) text += tokens_.Next().text;
        return Literal(std::move(text));
      }
      case Token::kInteger:
      case Token::kFloat:
        return Number(token);
      case Token::kOperator:
        if (token.text == "(") return Parenthesised();
        if (token.text == "[") return List();
        if (token.text == "{") return Dict();
        break;
      default:
        break;
    }
    tokens_.Fail(token.line, absl::StrCat("an expression is expected before ", Shown(token)));
    return Node(Expr::kLiteral);
  }

  ExprPtr Named(const Token& token) {
    const std::string& name = token.text;
    if (name == "true" || name == "True") return Literal(true);
    if (name == "false" || name == "False") return Literal(false);
    if (name == "none" || name == "None") return Literal(None{});
    ExprPtr node = Node(Expr::kName, name);
    node->line = token.line;
    return node;
  }

  ExprPtr Parenthesised() {
    ExprPtr expr = Node(Expr::kTuple);
    if (!tokens_.SkipOperator(")")) {
      expr = Tuple(true);
      tokens_.ExpectOperator(")", "a parenthesis");
    }
    return expr;
  }

 public:
  ExprPtr Tuple(bool with_condition) {
    ExprPtr first = Expression(with_condition);
    if (!tokens_.IsOperator(",")) return first;
    ExprPtr node = Node(Expr::kTuple);
    AddChild(node, std::move(first));
    while (tokens_.SkipOperator(",")) {
      const Token& next = tokens_.Peek();
      if (next.kind == Token::kBlockEnd || next.kind == Token::kVariableEnd ||
          tokens_.IsOperator(")") || tokens_.IsOperator("=")) {
        break;  // the comma after the last item
      }
      AddChild(node, Expression(with_condition));
    }
    return node;
  }

 private:
  ExprPtr List() {
    ExprPtr node = Node(Expr::kList);
    while (tokens_.status().ok() && !tokens_.SkipOperator("]")) {
      AddChild(node, Expression(true));
      if (!tokens_.IsOperator("]")) tokens_.ExpectOperator(",", "a list");
    }
    return node;
  }

  ExprPtr Dict() {
    ExprPtr node = Node(Expr::kDict);
    while (tokens_.status().ok() && !tokens_.SkipOperator("}")) {
      AddChild(node, Expression(true));
      tokens_.ExpectOperator(":", "a dict");
      AddChild(node, Expression(true));
      if (!tokens_.IsOperator("}")) tokens_.ExpectOperator(",", "a dict");
    }
    return node;
  }

  ExprPtr Postfix(ExprPtr expr) {
    while (tokens_.status().ok()) {
      if (tokens_.SkipOperator(".")) {
        expr = Attribute(std::move(expr));
      } else if (tokens_.SkipOperator("[")) {
        expr = Subscript(std::move(expr));
      } else if (tokens_.IsOperator("(")) {
        expr = Call(std::move(expr));
      } else {
        break;
      }
    }
    return expr;
  }

  ExprPtr Attribute(ExprPtr object) {
    if (tokens_.Peek().kind == Token::kInteger) {
      ExprPtr node = Node(Expr::kSubscript);
      AddChild(node, std::move(object));
      AddChild(node, Number(tokens_.Next()));
      return node;
    }
    ExprPtr node = Node(Expr::kAttribute);
    node->name = tokens_.ExpectName("after a dot");
    AddChild(node, std::move(object));
    return node;
  }

  ExprPtr Subscript(ExprPtr object) {
    ExprPtr node = Node(Expr::kSubscript);
    AddChild(node, std::move(object));
    const auto part = [&] {
      const bool absent = tokens_.IsOperator(":") || tokens_.IsOperator("]");
      AddChild(node, absent ? nullptr : Expression(true));
    };
    part();
    while (node->children.size() < 4 && tokens_.SkipOperator(":")) {
      node->kind = Expr::kSlice;
      part();
    }
    tokens_.ExpectOperator("]", "a subscript");
    if (node->kind == Expr::kSlice) {
      while (node->children.size() < 4) node->children.push_back(nullptr);
    } else if (!node->children[1]) {
      tokens_.Fail(node->line, "a subscript [] is empty");
    }
    return node;
  }

  void CallArguments(const ExprPtr& node) {
    tokens_.ExpectOperator("(", "a call");
    while (tokens_.status().ok() && !tokens_.SkipOperator(")")) {
      const Token& next = tokens_.Peek(1);
      if (tokens_.Peek().kind == Token::kName && next.kind == Token::kOperator &&
          next.text == "=") {
        std::string name = tokens_.Next().text;
        tokens_.Next();
        ExprPtr value = Expression(true);
        Measure(node, value);
        node->named.emplace_back(std::move(name), std::move(value));
      } else if (!node->named.empty()) {
        tokens_.Fail(node->line, "a positional argument follows a named one");
      } else {
        AddChild(node, Expression(true));
      }
      if (!tokens_.IsOperator(")")) tokens_.ExpectOperator(",", "a call");
    }
  }

  ExprPtr Call(ExprPtr callee) {
    ExprPtr node = Node(Expr::kCall);
    AddChild(node, std::move(callee));
    CallArguments(node);
    return node;
  }

  ExprPtr Filters(ExprPtr expr) {
    while (tokens_.status().ok()) {
      if (tokens_.SkipOperator("|")) {
        ExprPtr node = Node(Expr::kFilter);
        node->name = tokens_.ExpectName("as a filter");
        AddChild(node, std::move(expr));
        if (tokens_.IsOperator("(")) CallArguments(node);
        expr = std::move(node);
      } else if (tokens_.SkipName("is")) {
        expr = Test(std::move(expr));
      } else if (tokens_.IsOperator("(")) {
        expr = Call(std::move(expr));
      } else {
        break;
      }
    }
    return expr;
  }

  ExprPtr Test(ExprPtr subject) {
    const bool negated = tokens_.SkipName("not");
    ExprPtr node = Node(Expr::kTest);
    node->name = tokens_.ExpectName("as a test after `is`");
    AddChild(node, std::move(subject));
    if (tokens_.IsOperator("(")) {
      CallArguments(node);
    } else if (StartsTestArgument()) {
      AddChild(node, Postfix(Primary()));
    }
    if (!negated) return node;
    ExprPtr negation = Node(Expr::kUnary, "not");
    AddChild(negation, std::move(node));
    return negation;
  }

  // `x is divisibleby 3`, `x is in [1, 2]`: one argument without parentheses.
  bool StartsTestArgument() const {
    const Token& token = tokens_.Peek();
    if (token.kind == Token::kName) {
      for (const std::string_view word : {"else", "or", "and", "if", "not", "in", "is"}) {
        if (token.text == word) return false;
      }
      return true;
    }
    return token.kind == Token::kString || token.kind == Token::kInteger ||
           token.kind == Token::kFloat || tokens_.IsOperator("[") || tokens_.IsOperator("{");
  }

  TokenStream& tokens_;
};

}  // namespace

Token TokenStream::Next() {
  Token token = Peek();
  if (status_.ok() && pos_ + 1 < tokens_.size()) ++pos_;
  return token;
}

bool TokenStream::SkipOperator(std::string_view op) {
  if (!IsOperator(op)) return false;
  Next();
  return true;
}

bool TokenStream::SkipName(std::string_view name) {
  if (!IsName(name)) return false;
  Next();
  return true;
}

void TokenStream::ExpectOperator(std::string_view op, std::string_view where) {
  if (SkipOperator(op)) return;
  Fail(Peek().line, absl::StrCat("`", std::string(op), "` is expected in ", std::string(where),
                                 ", found ", Shown(Peek())));
}

std::string TokenStream::ExpectName(std::string_view where) {
  if (Peek().kind == Token::kName) return Next().text;
  Fail(Peek().line,
       absl::StrCat("a name is expected ", std::string(where), ", found ", Shown(Peek())));
  return "";
}

void TokenStream::Fail(int line, const std::string& problem) {
  if (status_.ok()) {
    status_ = absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", problem));
  }
}

bool TokenStream::Enter() {
  if (++nesting_ <= kMaxNesting) return true;
  Fail(Peek().line, absl::StrCat("constructs nest deeper than ", kMaxNesting, " levels"));
  return false;
}

ExprPtr ParseExpression(TokenStream* tokens, bool with_condition) {
  return ExpressionParser(tokens).Expression(with_condition);
}

ExprPtr ParseTuple(TokenStream* tokens, bool with_condition) {
  return ExpressionParser(tokens).Tuple(with_condition);
}

}  // namespace kvscope::inference::jinja
