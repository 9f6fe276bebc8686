// The evaluator's operators: Python's arithmetic and comparisons.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/jinja_builtins.h"
#include "services/inference/tokenizer/jinja_evaluator.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference::jinja {
namespace {

std::string Named(const Value& value) { return std::string(TypeName(value)); }

double FloorModulo(double left, double right) {
  const double remainder = std::fmod(left, right);
  return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder;
}

}  // namespace

Value Evaluator::EvalUnary(const Expr& expr, Scope* scope) {
  const Value operand = Eval(*expr.children[0], scope);
  if (failed()) return Value();
  if (expr.name == "not") return !IsTrue(operand);
  if (!operand.is_number()) {
    return Fail(absl::StrCat("`", expr.name, "` needs a number, not ", Named(operand)));
  }
  return Arithmetic(expr.name, Value(int64_t{0}), operand);
}

Value Evaluator::EvalBinary(const Expr& expr, Scope* scope) {
  const Value left = Eval(*expr.children[0], scope);
  if (failed()) return Value();
  if (expr.name == "and" || expr.name == "or") {
    return IsTrue(left) == (expr.name == "or") ? left : Eval(*expr.children[1], scope);
  }
  const Value right = Eval(*expr.children[1], scope);
  if (failed()) return Value();
  line_ = expr.line;
  if (expr.name == "~") return Made(Text(left) + Text(right));
  return Arithmetic(expr.name, left, right);
}

Value Evaluator::Arithmetic(const std::string& op, const Value& left, const Value& right) {
  if (left.is_integer() && right.is_integer()) {
    return IntegerArithmetic(op, left.integer(), right.integer());
  }
  if (left.is_number() && right.is_number()) {
    return FloatArithmetic(op, left.number(), right.number());
  }
  if (op == "+" && left.string() && right.string()) return Made(*left.string() + *right.string());
  if (op == "+" && left.list() && right.list() && left.list()->is_tuple == right.list()->is_tuple) {
    std::vector<Value> items = left.list()->items;
    items.insert(items.end(), right.list()->items.begin(), right.list()->items.end());
    const bool is_tuple = left.list()->is_tuple;
    return Made(is_tuple ? Value::Tuple(std::move(items)) : Value::List(std::move(items)));
  }
  if (op == "*" && right.is_integer()) return Repeat(left, right.integer());
  if (op == "*" && left.is_integer()) return Repeat(right, left.integer());
  for (const Value* operand : {&left, &right}) {
    if (operand->is_undefined()) {
      return Fail(
          absl::StrCat("`", operand->undefined_name(), "` is undefined; `", op, "` needs a value"));
    }
  }
  return Fail(absl::StrCat("`", op, "` does not go with ", Named(left), " and ", Named(right)));
}

Value Evaluator::IntegerArithmetic(const std::string& op, int64_t left, int64_t right) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(left, right, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(left, right, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(left, right, &result);
  } else if (op == "**") {
    if (right < 0) return FloatArithmetic(op, left, right);
    result = 1;
    for (int64_t i = 0; i < right && !overflow && left != 1; ++i) {
      if ((left == 0 || left == -1) && i > 1) break;
      overflow = __builtin_mul_overflow(result, left, &result);
    }
    if (left == -1) result = right % 2 == 0 ? 1 : -1;
  } else {
    if (right == 0) return Fail(absl::StrCat("`", op, "` by zero"));
    if (op == "/") return static_cast<double>(left) / static_cast<double>(right);
    overflow = left == INT64_MIN && right == -1;
    if (!overflow) {  // Python rounds towards minus infinity
      const bool round_down = left % right != 0 && (left < 0) != (right < 0);
      result = op == "//" ? left / right - round_down : left % right + (round_down ? right : 0);
    }
  }
  if (overflow) return Fail(absl::StrCat("`", op, "` gives a number beyond 64 bits"));
  return result;
}

Value Evaluator::FloatArithmetic(const std::string& op, double left, double right) {
  if (op == "+") return left + right;
  if (op == "-") return left - right;
  if (op == "*") return left * right;
  if (op == "**") return std::pow(left, right);
  if (right == 0) return Fail(absl::StrCat("`", op, "` by zero"));
  if (op == "/") return left / right;
  if (op == "%") return FloorModulo(left, right);
  return std::floor(left / right);
}

Value Evaluator::Repeat(const Value& sequence, int64_t count) {
  const size_t times = count < 0 ? 0 : static_cast<size_t>(count);
  const size_t size = sequence.string() ? sequence.string()->size()
                      : sequence.list() ? sequence.list()->items.size() * sizeof(Value)
                                        : 0;
  if (!sequence.string() && !sequence.list()) {
    return Fail(absl::StrCat("`*` does not go with ", Named(sequence), " and int"));
  }
  if (size > 0 && times > work_left_ / size) {
    Charge(work_left_ + 1);
    return Value();
  }
  if (sequence.string()) {
    std::string text;
    if (size > 0) {
      for (size_t i = 0; i < times; ++i) text += *sequence.string();
    }
    return Made(std::move(text));
  }
  std::vector<Value> items;
  const std::vector<Value>& source = sequence.list()->items;
  for (size_t i = 0; i < times && size > 0; ++i) {
    items.insert(items.end(), source.begin(), source.end());
  }
  const bool is_tuple = sequence.list()->is_tuple;
  return Made(is_tuple ? Value::Tuple(std::move(items)) : Value::List(std::move(items)));
}

Value Evaluator::EvalCompare(const Expr& expr, Scope* scope) {
  Value left = Eval(*expr.children[0], scope);
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    const Value right = Eval(*expr.children[i + 1], scope);
    if (failed()) return Value();
    line_ = expr.line;
    if (!CompareOnce(expr.operators[i], left, right)) return false;
    left = right;
  }
  return true;
}

bool Evaluator::CompareOnce(const std::string& op, const Value& left, const Value& right) {
  if (!Charge(left.weight()) || !Charge(right.weight())) return false;
  if (op == "==") return Equal(left, right);
  if (op == "!=") return !Equal(left, right);
  if (op == "in" || op == "not in") {
    const std::optional<bool> found = Contains(right, left);
    if (!found)
      Fail(absl::StrCat("`", op, "` does not go with ", Named(left), " and ", Named(right)));
    return found.value_or(false) == (op == "in");
  }
  const std::optional<std::partial_ordering> order = Compare(left, right);
  if (!order) {
    Fail(absl::StrCat("`", op, "` cannot order ", Named(left), " and ", Named(right)));
    return false;
  }
  if (op == "<") return *order < 0;
  if (op == "<=") return *order <= 0;
  return op == ">" ? *order > 0 : *order >= 0;
}

}  // namespace kvscope::inference::jinja
