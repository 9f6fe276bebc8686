#include "services/inference/tokenizer/jinja_evaluator.h"

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/jinja_builtins.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference::jinja {
namespace {

constexpr int kMaxNesting = 600;     // of evaluation: bounds the C++ stack
constexpr int kMaxValueDepth = 100;  // of containers within containers
constexpr size_t kStepCost = 16;
constexpr size_t kLoopCost = 1024;  // a loop leaves its `loop` object behind until the run ends

}  // namespace

// Counts a level of evaluation for as long as it lives.
class Evaluator::Nesting {
 public:
  explicit Nesting(Evaluator* evaluator) : evaluator_(*evaluator) {
    if (++evaluator_.nesting_ > kMaxNesting) {
      evaluator_.Fail(absl::StrCat("evaluation nests deeper than ", kMaxNesting,
                                   " levels (a macro that calls itself?)"));
    }
  }
  ~Nesting() { --evaluator_.nesting_; }

 private:
  Evaluator& evaluator_;
};

absl::StatusOr<std::string> Evaluator::Run(const Template& program, Variables variables) {
  std::string output;
  output_ = &output;
  Scope globals;
  globals.variables = std::move(variables);
  globals_ = &globals;
  RunBlock(program.body, &globals);
  namespaces_.clear();  // first the values that point to each other
  if (failed()) return status_;
  return output;
}

Value Evaluator::Fail(const std::string& problem) {
  if (status_.ok()) {
    status_ = absl::InvalidArgumentError(absl::StrCat("line ", line_, ": ", problem));
  }
  return Value();
}

bool Evaluator::Charge(size_t units) {
  if (units <= work_left_) {
    work_left_ -= units;
    return true;
  }
  work_left_ = 0;
  Fail("the template takes too many steps or makes too much text");
  return false;
}

Value Evaluator::Made(Value value) {
  if (const std::string* text = value.string()) {
    Charge(text->size());
  } else if (const ListData* list = value.list()) {
    Charge(list->items.size() * sizeof(Value));
  } else if (const DictData* dict = value.dict()) {
    Charge(dict->items.size() * 4 * sizeof(Value));
  }
  if (value.depth() > kMaxValueDepth) {
    return Fail(absl::StrCat("lists and dicts nest deeper than ", kMaxValueDepth, " levels"));
  }
  return failed() ? Value() : value;
}

std::string Evaluator::Text(const Value& value) { return Charge(value.weight()) ? Str(value) : ""; }

NamespaceData* Evaluator::NewNamespace() {
  Charge(kLoopCost);
  return &namespaces_.emplace_back();
}

void Evaluator::Print(std::string_view text) {
  if (Charge(text.size())) output_->append(text);
}

Value Evaluator::GetAttribute(const Value& object, const std::string& name) {
  if (object.is_undefined()) {
    return Fail(absl::StrCat("`", object.undefined_name(), "` is undefined; `.", name,
                             "` needs an object"));
  }
  if (const NamespaceData* space = object.name_space()) {
    const auto found = space->attributes.find(name);
    if (found != space->attributes.end()) return found->second;
    return Value::UndefinedNamed(name);
  }
  if (const Builtin method =
          FindMethod(object, name)) {  // before the item of that name, as in Jinja
    FunctionData bound;
    bound.name = name;
    bound.depth = object.depth() + 1;
    bound.call = [method, object](Evaluator& evaluator, const Arguments& arguments) {
      return method(evaluator, object, arguments);
    };
    return Made(std::move(bound));
  }
  if (object.dict()) {
    if (const Value* item = object.dict()->Find(name)) return *item;
  }
  return Value::UndefinedNamed(name);
}

Value Evaluator::GetItem(const Value& object, const Value& key) {
  if (object.is_undefined()) {
    return Fail(absl::StrCat("`", object.undefined_name(), "` is undefined; [", Repr(key),
                             "] needs a list, dict or string"));
  }
  if (key.is_integer() && (object.list() || object.string())) {
    const int64_t length = static_cast<int64_t>(*Length(object));
    const int64_t index = key.integer() < 0 ? key.integer() + length : key.integer();
    if (index < 0 || index >= length) return Value::UndefinedNamed(absl::StrCat(key.integer()));
    if (object.list()) return object.list()->items[index];
    return Slice(*this, object, Value(index), Value(index + 1), None{});
  }
  if (!key.string()) return Value::UndefinedNamed(Repr(key));
  if (object.dict()) {
    if (const Value* item = object.dict()->Find(*key.string())) return *item;
  }
  return GetAttribute(object, *key.string());
}

Value Evaluator::GetPath(const Value& object, const Value& path) {
  if (!path.string()) return GetItem(object, path);
  Value value = object;
  std::string_view rest = *path.string();
  for (bool more = true; more && !failed();) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    more = dot != std::string_view::npos;
    if (more) rest.remove_prefix(dot + 1);
    const bool is_index = !part.empty() && part.size() < 10 &&
                          part.find_first_not_of("0123456789") == std::string_view::npos;
    value = GetItem(value, is_index ? Value(int64_t{std::stoi(std::string(part))}) : Value(part));
  }
  return value;
}

Evaluator::Flow Evaluator::RunBlock(const Block& block, Scope* scope) {
  const Nesting nesting(this);
  for (const Statement& statement : block) {
    if (failed()) break;
    const Flow flow = RunStatement(statement, scope);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::RunStatement(const Statement& statement, Scope* scope) {
  line_ = statement.line;
  Charge(kStepCost);
  switch (statement.kind) {
    case Statement::kText:
      Print(statement.text);
      break;
    case Statement::kPrint: {
      const Value value = Eval(*statement.expr, scope);
      value.string() ? Print(*value.string()) : Print(Text(value));
      break;
    }
    case Statement::kIf:
      return RunIf(statement, scope);
    case Statement::kFor:
      RunFor(statement, scope);
      break;
    case Statement::kSet:
      Assign(statement.target, Eval(*statement.expr, scope), scope);
      break;
    case Statement::kSetBlock:
      Assign(statement.target, Made(Capture(statement.body, scope)), scope);
      break;
    case Statement::kMacro:
      DefineMacro(statement, scope);
      break;
    case Statement::kBlock: {
      Scope inner{scope, {}};
      RunBlock(statement.body, &inner);
      break;
    }
    case Statement::kBreak:
      return Flow::kBreak;
    case Statement::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::RunIf(const Statement& statement, Scope* scope) {
  for (const auto& [condition, block] : statement.branches) {
    const bool taken = IsTrue(Eval(*condition, scope));
    if (failed()) return Flow::kNext;
    if (taken) return RunBlock(block, scope);
  }
  return RunBlock(statement.body, scope);
}

std::vector<Value> Evaluator::LoopItems(const Statement& statement, Scope* scope) {
  const Value iterable = Eval(*statement.expr, scope);
  if (failed()) return {};
  std::optional<std::vector<Value>> items = Items(iterable);
  if (!items) {
    Fail(absl::StrCat("`for` cannot go over a value of type ", std::string(TypeName(iterable))));
    return {};
  }
  Charge(items->size() * sizeof(Value));
  if (!statement.filter) return *std::move(items);
  std::vector<Value> kept;
  for (const Value& item : *items) {
    if (failed()) break;
    Scope inner{scope, {}};
    Assign(statement.target, item, &inner);
    if (IsTrue(Eval(*statement.filter, &inner))) kept.push_back(item);
  }
  return kept;
}

void Evaluator::RunFor(const Statement& statement, Scope* scope) {
  const std::vector<Value> items = LoopItems(statement, scope);
  if (failed()) return;
  if (items.empty()) {
    RunBlock(statement.else_body, scope);
    return;
  }
  NamespaceData* loop = NewNamespace();
  auto& attributes = loop->attributes;
  const int64_t length = static_cast<int64_t>(items.size());
  attributes["length"] = length;
  for (int64_t i = 0; i < length && !failed(); ++i) {
    attributes["index"] = i + 1;
    attributes["index0"] = i;
    attributes["revindex"] = length - i;
    attributes["revindex0"] = length - i - 1;
    attributes["first"] = i == 0;
    attributes["last"] = i == length - 1;
    attributes["previtem"] = i > 0 ? items[i - 1] : Value();
    attributes["nextitem"] = i + 1 < length ? items[i + 1] : Value();
    Scope inner{scope, {}};
    inner.variables.emplace("loop", Value(loop));
    Assign(statement.target, items[i], &inner);
    if (RunBlock(statement.body, &inner) == Flow::kBreak) break;
  }
}

std::string Evaluator::Capture(const Block& block, Scope* scope) {
  std::string text;
  std::string* const outer = output_;
  output_ = &text;
  RunBlock(block, scope);
  output_ = outer;
  return text;
}

void Evaluator::DefineMacro(const Statement& statement, Scope* scope) {
  FunctionData macro;
  macro.name = statement.text;
  macro.call = [&statement](Evaluator& evaluator, const Arguments& arguments) {
    return evaluator.CallMacro(statement, arguments);
  };
  scope->variables.insert_or_assign(statement.text, Value(std::move(macro)));
}

Value Evaluator::CallMacro(const Statement& macro, const Arguments& arguments) {
  Scope scope{globals_, {}};
  if (arguments.positional.size() > macro.parameters.size()) {
    return Fail(absl::StrCat("the macro `", macro.text, "` takes ", macro.parameters.size(),
                             " arguments, ", arguments.positional.size(), " were passed"));
  }
  size_t used = arguments.positional.size();
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    const Value* passed = arguments.Find(i, parameter.name);
    if (passed && i >= arguments.positional.size()) ++used;
    Value value = Value::UndefinedNamed(parameter.name);
    if (passed) {
      value = *passed;
    } else if (parameter.default_value) {
      value = Eval(*parameter.default_value, &scope);
    }
    scope.variables.insert_or_assign(parameter.name, std::move(value));
  }
  if (used < arguments.positional.size() + arguments.named.size()) {
    return Fail(
        absl::StrCat("the macro `", macro.text, "` was passed an argument it does not take"));
  }
  return Made(Capture(macro.body, &scope));
}

void Evaluator::Assign(const Target& target, const Value& value, Scope* scope) {
  if (failed()) return;
  if (!target.parts.empty()) {
    const std::optional<std::vector<Value>> items = Items(value);
    if (!items || items->size() != target.parts.size()) {
      Fail(absl::StrCat("cannot unpack a value of type ", std::string(TypeName(value)), " into ",
                        target.parts.size(), " names"));
      return;
    }
    for (size_t i = 0; i < items->size(); ++i) Assign(target.parts[i], (*items)[i], scope);
    return;
  }
  if (target.attribute.empty()) {
    scope->variables.insert_or_assign(target.name, value);
    return;
  }
  NamespaceData* space = Lookup(target.name, scope).name_space();
  if (space == nullptr) {
    Fail(absl::StrCat("cannot set `", target.name, ".", target.attribute, "`: `", target.name,
                      "` is not a namespace"));
    return;
  }
  space->attributes.insert_or_assign(target.attribute, value);
}

Value Evaluator::Lookup(const std::string& name, Scope* scope) {
  for (; scope != nullptr; scope = scope->parent) {
    const auto found = scope->variables.find(name);
    if (found != scope->variables.end()) return found->second;
  }
  return Value::UndefinedNamed(name);
}

Value Evaluator::Eval(const Expr& expr, Scope* scope) {
  if (failed()) return Value();
  const Nesting nesting(this);
  line_ = expr.line;
  if (!Charge(kStepCost) || failed()) return Value();
  Value value = EvalNode(expr, scope);
  return failed() ? Value() : value;
}

Value Evaluator::EvalNode(const Expr& expr, Scope* scope) {
  switch (expr.kind) {
    case Expr::kLiteral:
      return expr.literal;
    case Expr::kName:
      return Lookup(expr.name, scope);
    case Expr::kList:
    case Expr::kTuple:
    case Expr::kDict:
      return EvalContainer(expr, scope);
    case Expr::kAttribute: {
      const Value object = Eval(*expr.children[0], scope);
      return failed() ? Value() : GetAttribute(object, expr.name);
    }
    case Expr::kSubscript: {
      const Value object = Eval(*expr.children[0], scope);
      const Value key = Eval(*expr.children[1], scope);
      return failed() ? Value() : GetItem(object, key);
    }
    case Expr::kSlice:
      return EvalSlice(expr, scope);
    case Expr::kCall:
      return EvalCall(expr, scope);
    case Expr::kFilter:
    case Expr::kTest:
      return EvalBuiltin(expr, scope);
    case Expr::kUnary:
      return EvalUnary(expr, scope);
    case Expr::kBinary:
      return EvalBinary(expr, scope);
    case Expr::kCompare:
      return EvalCompare(expr, scope);
    case Expr::kConditional:
      if (IsTrue(Eval(*expr.children[1], scope))) return Eval(*expr.children[0], scope);
      return expr.children.size() > 2 ? Eval(*expr.children[2], scope) : Value();
  }
  return Value();
}

Value Evaluator::EvalContainer(const Expr& expr, Scope* scope) {
  std::vector<Value> items;
  items.reserve(expr.children.size());
  for (const ExprPtr& child : expr.children) items.push_back(Eval(*child, scope));
  if (failed()) return Value();
  if (expr.kind == Expr::kList) return Made(Value::List(std::move(items)));
  if (expr.kind == Expr::kTuple) return Made(Value::Tuple(std::move(items)));
  std::vector<std::pair<std::string, Value>> pairs;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!items[i].string()) {
      return Fail(
          absl::StrCat("a dict's keys must be strings, not ", std::string(TypeName(items[i]))));
    }
    pairs.emplace_back(*items[i].string(), items[i + 1]);
  }
  return Made(Value::Dict(std::move(pairs)));
}

Value Evaluator::EvalSlice(const Expr& expr, Scope* scope) {
  Value parts[4];
  for (size_t i = 0; i < 4; ++i) {
    parts[i] = expr.children[i] ? Eval(*expr.children[i], scope) : Value(None{});
  }
  if (failed()) return Value();
  line_ = expr.line;
  return Slice(*this, parts[0], parts[1], parts[2], parts[3]);
}

Arguments Evaluator::EvalArguments(const Expr& expr, Scope* scope) {
  Arguments arguments;
  for (size_t i = 1; i < expr.children.size(); ++i) {
    arguments.positional.push_back(Eval(*expr.children[i], scope));
  }
  for (const auto& [name, value] : expr.named) {
    arguments.named.emplace_back(name, Eval(*value, scope));
  }
  return arguments;
}

Value Evaluator::EvalCall(const Expr& expr, Scope* scope) {
  const Value callee = Eval(*expr.children[0], scope);
  const Arguments arguments = EvalArguments(expr, scope);
  if (failed()) return Value();
  line_ = expr.line;
  if (callee.is_undefined()) {
    return Fail(absl::StrCat("`", callee.undefined_name(), "` is undefined and cannot be called"));
  }
  if (!callee.function()) {
    return Fail(
        absl::StrCat("a value of type ", std::string(TypeName(callee)), " cannot be called"));
  }
  return callee.function()->call(*this, arguments);
}

Value Evaluator::EvalBuiltin(const Expr& expr, Scope* scope) {
  const bool is_filter = expr.kind == Expr::kFilter;
  const Value subject = Eval(*expr.children[0], scope);
  const Arguments arguments = EvalArguments(expr, scope);
  if (failed()) return Value();
  line_ = expr.line;
  const Builtin builtin = is_filter ? FindFilter(expr.name) : FindTest(expr.name);
  if (builtin == nullptr) {
    return Fail(
        absl::StrCat("the ", is_filter ? "filter" : "test", " `", expr.name, "` is not known"));
  }
  return builtin(*this, subject, arguments);
}

}  // namespace kvscope::inference::jinja
