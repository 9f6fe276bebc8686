// Tests: `value is name(arguments)`.
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/jinja_builtins.h"

namespace kvscope::inference::jinja {
namespace {

Value Defined(Evaluator&, const Value& v, const Arguments&) { return !v.is_undefined(); }
Value NotDefined(Evaluator&, const Value& v, const Arguments&) { return v.is_undefined(); }
Value IsNone(Evaluator&, const Value& v, const Arguments&) { return v.is_none(); }
Value IsString(Evaluator&, const Value& v, const Arguments&) { return v.string() != nullptr; }
Value IsMapping(Evaluator&, const Value& v, const Arguments&) { return v.dict() != nullptr; }
Value IsNumber(Evaluator&, const Value& v, const Arguments&) { return v.is_number(); }
Value IsInteger(Evaluator&, const Value& v, const Arguments&) {
  return v.is_integer() && !v.is_bool();
}
Value IsFloat(Evaluator&, const Value& v, const Arguments&) { return v.is_float(); }
Value IsBoolean(Evaluator&, const Value& v, const Arguments&) { return v.is_bool(); }
Value IsTrueBool(Evaluator&, const Value& v, const Arguments&) {
  return v.is_bool() && v.integer() == 1;
}
Value IsFalseBool(Evaluator&, const Value& v, const Arguments&) {
  return v.is_bool() && v.integer() == 0;
}
Value IsIterable(Evaluator&, const Value& v, const Arguments&) { return Length(v).has_value(); }
Value IsSequence(Evaluator&, const Value& v, const Arguments&) { return Length(v).has_value(); }
Value IsCallable(Evaluator&, const Value& v, const Arguments&) { return v.function() != nullptr; }

// The test's one argument; null and a failure without it.
const Value* Other(Evaluator& evaluator, const Arguments& arguments) {
  const Value* other = arguments.Find(0, "other");
  if (!other) evaluator.Fail("the test after `is` needs an argument");
  return other;
}

Value IsEqual(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* other = Other(evaluator, arguments);
  if (!other || !evaluator.Charge(value.weight())) return Value();
  return Equal(value, *other);
}
Value IsUnequal(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  return !IsTrue(IsEqual(evaluator, value, arguments));
}

// Identity: what Python's `is` says of none, booleans and the very same object.
Value IsSameAs(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* other = Other(evaluator, arguments);
  if (!other) return Value();
  if (TypeName(value) != TypeName(*other)) return false;
  if (value.list()) return value.list() == other->list();
  if (value.dict()) return value.dict() == other->dict();
  return Equal(value, *other);
}

template <typename Holds>
Value Ordered(Evaluator& evaluator, const Value& value, const Arguments& arguments, Holds holds) {
  const Value* other = Other(evaluator, arguments);
  if (!other || !evaluator.Charge(value.weight())) return Value();
  const std::optional<std::partial_ordering> order = Compare(value, *other);
  if (order) return holds(*order);
  return evaluator.Fail(absl::StrCat("cannot order ", std::string(TypeName(value)), " and ",
                                     std::string(TypeName(*other))));
}
Value IsLess(Evaluator& e, const Value& v, const Arguments& a) {
  return Ordered(e, v, a, [](std::partial_ordering order) { return order < 0; });
}
Value IsAtMost(Evaluator& e, const Value& v, const Arguments& a) {
  return Ordered(e, v, a, [](std::partial_ordering order) { return order <= 0; });
}
Value IsGreater(Evaluator& e, const Value& v, const Arguments& a) {
  return Ordered(e, v, a, [](std::partial_ordering order) { return order > 0; });
}
Value IsAtLeast(Evaluator& e, const Value& v, const Arguments& a) {
  return Ordered(e, v, a, [](std::partial_ordering order) { return order >= 0; });
}

Value IsIn(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* other = Other(evaluator, arguments);
  if (!other || !evaluator.Charge(other->weight())) return Value();
  const std::optional<bool> found = Contains(*other, value);
  return found ? Value(*found) : evaluator.Fail("`is in` needs a list, dict or string");
}

Value Divides(Evaluator& evaluator, const Value& value, int64_t divisor, int64_t remainder) {
  if (!value.is_integer() || divisor == 0) {
    return evaluator.Fail("odd, even and divisibleby need integers, and a divisor that is not 0");
  }
  if (divisor == -1) return true;
  const int64_t rest = value.integer() % divisor;
  return (rest < 0 ? -rest : rest) == remainder;
}
Value IsOdd(Evaluator& e, const Value& v, const Arguments&) { return Divides(e, v, 2, 1); }
Value IsEven(Evaluator& e, const Value& v, const Arguments&) { return Divides(e, v, 2, 0); }
Value IsDivisible(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* other = arguments.Find(0, "num");
  return Divides(evaluator, value, other && other->is_integer() ? other->integer() : 0, 0);
}

// Python's islower() and isupper(): a cased character, and none of the other case.
Value IsLower(Evaluator& evaluator, const Value& value, const Arguments&) {
  const std::string text = evaluator.Text(value);
  return text == ToLower(text) && text != ToUpper(text);
}
Value IsUpper(Evaluator& evaluator, const Value& value, const Arguments&) {
  const std::string text = evaluator.Text(value);
  return text == ToUpper(text) && text != ToLower(text);
}

struct NamedTest {
  std::string_view name;
  Builtin test;
};

constexpr NamedTest kTests[] = {
    {"defined", Defined},
    {"undefined", NotDefined},
    {"none", IsNone},
    {"string", IsString},
    {"mapping", IsMapping},
    {"number", IsNumber},
    {"integer", IsInteger},
    {"float", IsFloat},
    {"boolean", IsBoolean},
    {"true", IsTrueBool},
    {"false", IsFalseBool},
    {"iterable", IsIterable},
    {"sequence", IsSequence},
    {"callable", IsCallable},
    {"eq", IsEqual},
    {"equalto", IsEqual},
    {"ne", IsUnequal},
    {"sameas", IsSameAs},
    {"lt", IsLess},
    {"lessthan", IsLess},
    {"le", IsAtMost},
    {"gt", IsGreater},
    {"greaterthan", IsGreater},
    {"ge", IsAtLeast},
    {"in", IsIn},
    {"odd", IsOdd},
    {"even", IsEven},
    {"divisibleby", IsDivisible},
    {"lower", IsLower},
    {"upper", IsUpper},
};

}  // namespace

Builtin FindTest(std::string_view name) {
  for (const NamedTest& entry : kTests) {
    if (entry.name == name) return entry.test;
  }
  return nullptr;
}

}  // namespace kvscope::inference::jinja
