// Values of the template language: Python's, as far as chat templates see them.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace kvscope::inference::jinja {

class Evaluator;
class Value;
struct ListData;
struct DictData;
struct NamespaceData;
struct FunctionData;

struct Undefined {
  std::shared_ptr<const std::string> name;  // what was looked up, for error messages
};
struct None {};

// Cheap to copy: containers are shared and never changed once made (only a namespace can change).
class Value {
 public:
  Value() : data_(Undefined{}) {}
  Value(None) : data_(None{}) {}                                // NOLINT: implicit by design
  Value(bool value) : data_(value) {}                           // NOLINT
  Value(int64_t value) : data_(value) {}                        // NOLINT
  Value(double value) : data_(value) {}                         // NOLINT
  Value(std::string value);                                     // NOLINT
  Value(std::string_view value) : Value(std::string(value)) {}  // NOLINT
  Value(const char* value) : Value(std::string(value)) {}       // NOLINT
  Value(NamespaceData* value) : data_(value) {}                 // NOLINT
  Value(FunctionData value);                                    // NOLINT
  static Value UndefinedNamed(std::string_view name);
  static Value List(std::vector<Value> items);
  static Value Tuple(std::vector<Value> items);
  static Value Dict(
      std::vector<std::pair<std::string, Value>> items);  // the last of equal keys wins

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_float() const { return std::holds_alternative<double>(data_); }
  bool is_integer() const { return is_bool() || std::holds_alternative<int64_t>(data_); }
  bool is_number() const { return is_integer() || is_float(); }

  // Null unless the value is of that kind. `list` also for tuples.
  const std::string* string() const;
  const ListData* list() const;
  const DictData* dict() const;
  NamespaceData* name_space() const;
  const FunctionData* function() const;
  // Numbers only (is_integer(), is_number()); a bool counts as 0 or 1.
  int64_t integer() const;
  double number() const;
  std::string undefined_name() const;

  // Nesting of containers: 0 for scalars. Bounded by the evaluator, so recursion over a value is
  // safe.
  int depth() const;
  // About the bytes of its str(); saturates. Containers that hold one list many times over can be
  // far larger written out than in memory: ask before walking over them.
  size_t weight() const;

 private:
  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const ListData>, std::shared_ptr<const DictData>, NamespaceData*,
               std::shared_ptr<const FunctionData>>
      data_;
};

struct ListData {
  std::vector<Value> items;
  bool is_tuple = false;
  int depth = 1;
  size_t weight = 2;
};

struct DictData {
  std::vector<std::pair<std::string, Value>> items;  // in order of insertion
  absl::flat_hash_map<std::string, size_t> index;
  int depth = 1;
  size_t weight = 2;

  const Value* Find(const std::string& key) const;
};

// namespace(...): owned by the evaluator, whose lifetime bounds every value's.
struct NamespaceData {
  absl::flat_hash_map<std::string, Value> attributes;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at `position` or called `name`; null if it was not passed.
  const Value* Find(size_t position, std::string_view name) const;
};

// A global function, a macro, or a method bound to its object. Failures go to the evaluator.
struct FunctionData {
  std::string name;
  std::function<Value(Evaluator&, const Arguments&)> call;
  int depth = 0;  // that of the object a method is bound to, plus 1
};

std::string_view TypeName(const Value& value);  // Python's: "str", "int", "NoneType", ...
bool IsTrue(const Value& value);
std::string Str(const Value& value);   // str(): what {{ }} prints; undefined prints nothing
std::string Repr(const Value& value);  // repr()
bool Equal(const Value& a, const Value& b);
// Python's ordering of numbers, strings and lists; nothing for what cannot be ordered.
std::optional<std::partial_ordering> Compare(const Value& a, const Value& b);
// len(): characters, items; nothing if it has none. 0 for undefined, as in Jinja.
std::optional<size_t> Length(const Value& value);
// What a loop over the value yields: items, keys, characters; nothing if it cannot be iterated.
std::optional<std::vector<Value>> Items(const Value& value);

// json.dumps(value, ensure_ascii=False, ...); nothing if the value holds what JSON cannot say.
struct JsonStyle {
  std::optional<std::string> indent;  // one level's
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};
std::optional<std::string> ToJson(const Value& value, const JsonStyle& style);

// repr() of a float: the shortest digits that read back, in Python's notation.
std::string FloatRepr(double value);

// Python's str.isspace(): White_Space and the separators U+001C ... U+001F.
bool IsPythonSpace(char32_t c);

}  // namespace kvscope::inference::jinja
