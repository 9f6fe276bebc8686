// Filters: `value | name(arguments)`.  Semantics: Jinja 3.1, with transformers' tojson.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/jinja_builtins.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference::jinja {
namespace {

int64_t IntegerArgument(const Arguments& arguments, size_t position, std::string_view name,
                        int64_t otherwise) {
  const Value* value = arguments.Find(position, name);
  return value && value->is_integer() ? value->integer() : otherwise;
}
bool BoolArgument(const Arguments& arguments, size_t position, std::string_view name) {
  const Value* value = arguments.Find(position, name);
  return value && IsTrue(*value);
}

// What the filter loops over; fails for what cannot be iterated.
std::vector<Value> ItemsOf(Evaluator& evaluator, const Value& value, std::string_view filter) {
  if (!evaluator.Charge(value.weight())) return {};
  std::optional<std::vector<Value>> items = Items(value);
  if (!items) {
    evaluator.Fail(absl::StrCat("`", std::string(filter), "` needs a list, not ",
                                std::string(TypeName(value))));
    return {};
  }
  return *std::move(items);
}

Value Trim(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* chars = arguments.Find(0, "chars");
  return evaluator.Made(Strip(evaluator.Text(value),
                              chars && chars->string() ? chars->string() : nullptr, true, true));
}
Value Upper(Evaluator& e, const Value& v, const Arguments&) { return e.Made(ToUpper(e.Text(v))); }
Value Lower(Evaluator& e, const Value& v, const Arguments&) { return e.Made(ToLower(e.Text(v))); }
Value Title(Evaluator& e, const Value& v, const Arguments&) { return e.Made(ToTitle(e.Text(v))); }
Value Capital(Evaluator& e, const Value& v, const Arguments&) {
  return e.Made(Capitalize(e.Text(v)));
}
Value String(Evaluator& e, const Value& v, const Arguments&) { return e.Made(e.Text(v)); }
Value Safe(Evaluator&, const Value& value, const Arguments&) { return value; }

Value Count(Evaluator& evaluator, const Value& value, const Arguments&) {
  const std::optional<size_t> length = Length(value);
  if (length) return static_cast<int64_t>(*length);
  return evaluator.Fail(
      absl::StrCat("a value of type ", std::string(TypeName(value)), " has no length"));
}

Value Default(Evaluator&, const Value& value, const Arguments& arguments) {
  const bool replace =
      value.is_undefined() || (BoolArgument(arguments, 1, "boolean") && !IsTrue(value));
  if (!replace) return value;
  const Value* otherwise = arguments.Find(0, "default_value");
  return otherwise ? *otherwise : Value("");
}

Value ItemPairs(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  if (value.is_undefined()) return Value::List({});
  if (!value.dict()) return evaluator.Fail("`items` needs a dict");
  return FindMethod(value, "items")(evaluator, value, arguments);
}

Value List(Evaluator& evaluator, const Value& value, const Arguments&) {
  return evaluator.Made(Value::List(ItemsOf(evaluator, value, "list")));
}
Value First(Evaluator& evaluator, const Value& value, const Arguments&) {
  const std::vector<Value> items = ItemsOf(evaluator, value, "first");
  return items.empty() ? Value::UndefinedNamed("first") : items.front();
}
Value Last(Evaluator& evaluator, const Value& value, const Arguments&) {
  const std::vector<Value> items = ItemsOf(evaluator, value, "last");
  return items.empty() ? Value::UndefinedNamed("last") : items.back();
}
Value Reverse(Evaluator& evaluator, const Value& value, const Arguments&) {
  if (value.string()) return Slice(evaluator, value, None{}, None{}, Value(int64_t{-1}));
  std::vector<Value> items = ItemsOf(evaluator, value, "reverse");
  std::reverse(items.begin(), items.end());
  return evaluator.Made(Value::List(std::move(items)));
}

Value Join(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* separator = arguments.Find(0, "d");
  const Value* attribute = arguments.Find(1, "attribute");
  const std::string between = separator ? evaluator.Text(*separator) : "";
  std::string out;
  bool first = true;
  for (const Value& item : ItemsOf(evaluator, value, "join")) {
    if (!evaluator.Charge(between.size())) return Value();
    if (!first) out += between;
    first = false;
    out += evaluator.Text(attribute ? evaluator.GetPath(item, *attribute) : item);
  }
  return evaluator.Made(std::move(out));
}

Value ReplaceText(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* from = arguments.Find(0, "old");
  const Value* to = arguments.Find(1, "new");
  if (!from || !to) return evaluator.Fail("`replace` needs what to replace and by what");
  return Replace(evaluator, evaluator.Text(value), evaluator.Text(*from), evaluator.Text(*to),
                 IntegerArgument(arguments, 2, "count", -1));
}

Value ToJsonText(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  JsonStyle style;
  style.ensure_ascii = BoolArgument(arguments, 0, "ensure_ascii");
  style.sort_keys = BoolArgument(arguments, 3, "sort_keys");
  const Value* indent = arguments.Find(1, "indent");
  if (indent && !indent->is_none()) {
    if (!indent->string() && (!indent->is_integer() || indent->integer() > 100)) {
      return evaluator.Fail("`tojson` needs an indent that is a string or a number up to 100");
    }
    style.indent = indent->string() ? *indent->string()
                                    : std::string(std::max<int64_t>(0, indent->integer()), ' ');
    style.item_separator.pop_back();  // no space at a line's end
  }
  const Value* separators = arguments.Find(2, "separators");
  if (separators && separators->list() && separators->list()->items.size() == 2) {
    style.item_separator = evaluator.Text(separators->list()->items[0]);
    style.key_separator = evaluator.Text(separators->list()->items[1]);
  }
  // Every item may stand on a line of its own, as deep as the value nests.
  const size_t line_size = style.indent ? 1 + value.depth() * style.indent->size() : 1;
  if (!evaluator.Charge(std::min(value.weight(), size_t{1} << 40) * line_size)) return Value();
  std::optional<std::string> json = ToJson(value, style);
  if (json) return evaluator.Made(*std::move(json));
  return evaluator.Fail(absl::StrCat("`tojson` cannot write a value of type ",
                                     std::string(TypeName(value)), " or what it holds"));
}

// select and reject (an item), selectattr and rejectattr (its attribute): keeps the items for which
// the test, or without one their truth, is `wanted`.
Value Choose(Evaluator& evaluator, const Value& value, Arguments arguments, bool by_attribute,
             bool wanted) {
  auto& positional = arguments.positional;
  if (by_attribute && positional.empty()) return evaluator.Fail("selectattr needs an attribute");
  const Value attribute = by_attribute ? positional[0] : Value();
  if (by_attribute) positional.erase(positional.begin());
  Builtin test = nullptr;
  if (!positional.empty()) {
    const std::string name = evaluator.Text(positional[0]);
    test = FindTest(name);
    if (!test) return evaluator.Fail(absl::StrCat("the test `", name, "` is not known"));
    positional.erase(positional.begin());
  }
  std::vector<Value> kept;
  for (const Value& item : ItemsOf(evaluator, value, "select")) {
    if (evaluator.failed()) break;
    const Value subject = by_attribute ? evaluator.GetPath(item, attribute) : item;
    const bool holds = test ? IsTrue(test(evaluator, subject, arguments)) : IsTrue(subject);
    if (holds == wanted) kept.push_back(item);
  }
  return evaluator.Made(Value::List(std::move(kept)));
}
Value Select(Evaluator& e, const Value& v, const Arguments& a) {
  return Choose(e, v, a, false, true);
}
Value Reject(Evaluator& e, const Value& v, const Arguments& a) {
  return Choose(e, v, a, false, false);
}
Value Selectattr(Evaluator& e, const Value& v, const Arguments& a) {
  return Choose(e, v, a, true, true);
}
Value Rejectattr(Evaluator& e, const Value& v, const Arguments& a) {
  return Choose(e, v, a, true, false);
}

// map(attribute="a.b", default=...) or map("filter", arguments).
Value Map(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  std::vector<Value> mapped;
  if (const Value* attribute = arguments.Find(SIZE_MAX, "attribute")) {
    const Value* otherwise = arguments.Find(SIZE_MAX, "default");
    for (const Value& item : ItemsOf(evaluator, value, "map")) {
      const Value found = evaluator.GetPath(item, *attribute);
      mapped.push_back(found.is_undefined() && otherwise ? *otherwise : found);
    }
    return evaluator.Made(Value::List(std::move(mapped)));
  }
  Arguments rest = arguments;
  if (rest.positional.empty()) return evaluator.Fail("`map` needs an attribute or a filter");
  const std::string name = evaluator.Text(rest.positional[0]);
  rest.positional.erase(rest.positional.begin());
  const Builtin filter = FindFilter(name);
  // A filter that maps again would nest without bound.
  if (!filter || filter == Map) {
    return evaluator.Fail(absl::StrCat("`map` does not know the filter `", name, "`"));
  }
  for (const Value& item : ItemsOf(evaluator, value, "map")) {
    if (evaluator.failed()) break;
    mapped.push_back(filter(evaluator, item, rest));
  }
  return evaluator.Made(Value::List(std::move(mapped)));
}

// What sort, unique, min and max compare: an attribute, strings without regard to case.
Value SortKey(Evaluator& evaluator, const Value& item, const Value* attribute,
              bool case_sensitive) {
  const Value key = attribute && !attribute->is_none() ? evaluator.GetPath(item, *attribute) : item;
  return key.string() && !case_sensitive ? Value(ToLower(*key.string())) : key;
}

Value Sorted(Evaluator& evaluator, std::vector<std::pair<Value, Value>> keyed, bool descending) {
  bool comparable = true;
  const auto less = [&](const Value& a, const Value& b) {
    const auto order = Compare(a, b);
    comparable = comparable && order.has_value();
    return order && *order < 0;
  };
  for (size_t i = 1; i < keyed.size(); ++i) less(keyed[0].first, keyed[i].first);
  if (!comparable) return evaluator.Fail("`sort` cannot order the items");
  if (!evaluator.Charge(keyed.size() * 64)) return Value();
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return descending ? less(b.first, a.first) : less(a.first, b.first);
  });
  std::vector<Value> items;
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
  return evaluator.Made(Value::List(std::move(items)));
}

Value Sort(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const bool case_sensitive = BoolArgument(arguments, 1, "case_sensitive");
  const Value* attribute = arguments.Find(2, "attribute");
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : ItemsOf(evaluator, value, "sort")) {
    keyed.emplace_back(SortKey(evaluator, item, attribute, case_sensitive), item);
  }
  return Sorted(evaluator, std::move(keyed), BoolArgument(arguments, 0, "reverse"));
}

Value Dictsort(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  if (!value.dict()) return evaluator.Fail("`dictsort` needs a dict");
  const bool case_sensitive = BoolArgument(arguments, 0, "case_sensitive");
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, item] : value.dict()->items) {
    keyed.emplace_back(case_sensitive ? key : ToLower(key), Value::Tuple({key, item}));
  }
  return Sorted(evaluator, std::move(keyed), BoolArgument(arguments, 2, "reverse"));
}

Value Unique(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const bool case_sensitive = BoolArgument(arguments, 0, "case_sensitive");
  std::vector<Value> keys, kept;
  for (const Value& item : ItemsOf(evaluator, value, "unique")) {
    const Value key = SortKey(evaluator, item, arguments.Find(1, "attribute"), case_sensitive);
    if (!evaluator.Charge(keys.size() * 8)) return Value();
    if (std::any_of(keys.begin(), keys.end(), [&](const Value& k) { return Equal(k, key); }))
      continue;
    keys.push_back(key);
    kept.push_back(item);
  }
  return evaluator.Made(Value::List(std::move(kept)));
}

Value Sum(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* attribute = arguments.Find(0, "attribute");
  const Value* start = arguments.Find(1, "start");
  Value total = start ? *start : Value(int64_t{0});
  for (const Value& item : ItemsOf(evaluator, value, "sum")) {
    if (evaluator.failed()) break;
    const bool by_attribute = attribute && !attribute->is_none();
    total = evaluator.Add(total, by_attribute ? evaluator.GetPath(item, *attribute) : item);
  }
  return total;
}

Value Int(Evaluator&, const Value& value, const Arguments& arguments) {
  const int64_t otherwise = IntegerArgument(arguments, 0, "default", 0);
  if (value.is_integer()) return value.integer();
  double number = NAN;
  if (value.is_float()) {
    number = value.number();
  } else if (value.string()) {
    const std::string text = Strip(*value.string(), nullptr, true, true);
    int64_t parsed = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (result.ec == std::errc() && result.ptr == text.data() + text.size()) return parsed;
    char* end = nullptr;
    number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return otherwise;
  }
  if (!(std::fabs(number) < 9e18)) return otherwise;
  return static_cast<int64_t>(number);
}

Value Float(Evaluator&, const Value& value, const Arguments& arguments) {
  const Value* otherwise = arguments.Find(0, "default");
  if (value.is_number()) return value.number();
  if (value.string()) {
    const std::string text = Strip(*value.string(), nullptr, true, true);
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (!text.empty() && *end == '\0') return number;
  }
  return otherwise ? *otherwise : Value(0.0);
}

Value Abs(Evaluator& evaluator, const Value& value, const Arguments&) {
  if (value.is_float()) return std::fabs(value.number());
  if (!value.is_integer() || value.integer() == INT64_MIN) {
    return evaluator.Fail("`abs` needs a number");
  }
  return std::abs(value.integer());
}

// Indents every line but the first; with `first`, that too; with `blank`, empty lines too.
Value Indent(Evaluator& evaluator, const Value& value, const Arguments& arguments) {
  const Value* width = arguments.Find(0, "width");
  const int64_t spaces = std::clamp<int64_t>(IntegerArgument(arguments, 0, "width", 4), 0, 1000);
  const std::string margin = width && width->string() ? *width->string() : std::string(spaces, ' ');
  const bool blank = BoolArgument(arguments, 2, "blank");
  const std::string text = evaluator.Text(value);
  std::string out = BoolArgument(arguments, 1, "first") ? margin : "";
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    const bool is_empty_line = i + 1 >= text.size() || text[i + 1] == '\n';
    if (text[i] != '\n' || (is_empty_line && !blank)) continue;
    if (!evaluator.Charge(margin.size())) return Value();
    out += margin;
  }
  return evaluator.Made(std::move(out));
}

struct NamedFilter {
  std::string_view name;
  Builtin filter;
};

constexpr NamedFilter kFilters[] = {
    {"trim", Trim},
    {"tojson", ToJsonText},
    {"length", Count},
    {"count", Count},
    {"join", Join},
    {"string", String},
    {"upper", Upper},
    {"lower", Lower},
    {"title", Title},
    {"capitalize", Capital},
    {"default", Default},
    {"d", Default},
    {"items", ItemPairs},
    {"list", List},
    {"first", First},
    {"last", Last},
    {"replace", ReplaceText},
    {"safe", Safe},
    {"select", Select},
    {"reject", Reject},
    {"selectattr", Selectattr},
    {"rejectattr", Rejectattr},
    {"map", Map},
    {"sort", Sort},
    {"dictsort", Dictsort},
    {"unique", Unique},
    {"reverse", Reverse},
    {"int", Int},
    {"float", Float},
    {"abs", Abs},
    {"indent", Indent},
    {"sum", Sum},
};

}  // namespace

Builtin FindFilter(std::string_view name) {
  for (const NamedFilter& entry : kFilters) {
    if (entry.name == name) return entry.filter;
  }
  return nullptr;
}

}  // namespace kvscope::inference::jinja
