// Runs a parsed template.
#pragma once

#include <ctime>
#include <deque>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "services/inference/tokenizer/jinja_ast.h"
#include "services/inference/tokenizer/jinja_value.h"

namespace kvscope::inference::jinja {

using Variables = absl::flat_hash_map<std::string, Value>;

// One run. The first failure is kept and ends it: from then on every value is undefined, every loop
// over. Work is metered (steps, and bytes of text made), nesting and values' depth are bounded.
class Evaluator {
 public:
  // `work_limit`: in units of about a byte copied; a step costs 16. `now`: for strftime_now.
  Evaluator(size_t work_limit, const std::tm& now) : work_left_(work_limit), now_(now) {}

  // What the template prints. `variables` are the globals. Errors: InvalidArgument "line N: ...".
  absl::StatusOr<std::string> Run(const Template& program, Variables variables);

  // For the built-in functions. Fail returns undefined, to be returned.
  Value Fail(const std::string& problem);
  bool failed() const { return !status_.ok(); }
  // Takes `units` off the work that is left; false (and a failure) when there is too little.
  bool Charge(size_t units);
  // A value just made: charges its text, and refuses containers nested too deep.
  Value Made(Value value);
  // str() of the value, charged.
  std::string Text(const Value& value);
  NamespaceData* NewNamespace();
  const std::tm& now() const { return now_; }

  Value GetAttribute(const Value& object, const std::string& name);
  Value GetItem(const Value& object, const Value& key);
  // `a.b.0` of filters' attribute arguments: items by name or index. A number is one index.
  Value GetPath(const Value& object, const Value& path);
  Value Add(const Value& left, const Value& right) { return Arithmetic("+", left, right); }

 private:
  struct Scope {
    Scope* parent = nullptr;
    Variables variables;
  };
  enum class Flow { kNext, kBreak, kContinue };
  class Nesting;

  Flow RunBlock(const Block& block, Scope* scope);
  Flow RunStatement(const Statement& statement, Scope* scope);
  Flow RunIf(const Statement& statement, Scope* scope);
  void RunFor(const Statement& statement, Scope* scope);
  std::vector<Value> LoopItems(const Statement& statement, Scope* scope);
  void DefineMacro(const Statement& statement, Scope* scope);
  Value CallMacro(const Statement& macro, const Arguments& arguments);
  std::string Capture(const Block& block, Scope* scope);
  void Assign(const Target& target, const Value& value, Scope* scope);
  void Print(std::string_view text);

  Value Eval(const Expr& expr, Scope* scope);
  Value EvalNode(const Expr& expr, Scope* scope);
  Value EvalContainer(const Expr& expr, Scope* scope);
  Value EvalSlice(const Expr& expr, Scope* scope);
  Value EvalUnary(const Expr& expr, Scope* scope);
  Value EvalBinary(const Expr& expr, Scope* scope);
  Value EvalCompare(const Expr& expr, Scope* scope);
  Value EvalCall(const Expr& expr, Scope* scope);
  Value EvalBuiltin(const Expr& expr, Scope* scope);
  Arguments EvalArguments(const Expr& expr, Scope* scope);
  bool CompareOnce(const std::string& op, const Value& left, const Value& right);
  Value Arithmetic(const std::string& op, const Value& left, const Value& right);
  Value IntegerArithmetic(const std::string& op, int64_t left, int64_t right);
  Value FloatArithmetic(const std::string& op, double left, double right);
  Value Repeat(const Value& sequence, int64_t count);
  Value Lookup(const std::string& name, Scope* scope);

  size_t work_left_;
  const std::tm now_;
  absl::Status status_;
  int line_ = 0;
  int nesting_ = 0;
  std::string* output_ = nullptr;
  Scope* globals_ = nullptr;
  std::deque<NamespaceData> namespaces_;  // outlive every value
};

}  // namespace kvscope::inference::jinja
