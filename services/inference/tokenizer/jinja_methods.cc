// Methods of strings, lists, dicts, and the global functions.
#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "services/inference/tokenizer/jinja_builtins.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference::jinja {
namespace {

// The string argument at `position`; null and a failure if it is no string.
const std::string* StringArgument(Evaluator& evaluator, const Arguments& arguments, size_t position,
                                  std::string_view name) {
  const Value* value = arguments.Find(position, name);
  if (value && value->string()) return value->string();
  evaluator.Fail(absl::StrCat("the argument `", std::string(name), "` must be a string"));
  return nullptr;
}

int64_t IntegerArgument(const Arguments& arguments, size_t position, std::string_view name,
                        int64_t otherwise) {
  const Value* value = arguments.Find(position, name);
  return value && value->is_integer() ? value->integer() : otherwise;
}

Value StripSides(Evaluator& evaluator, const Value& self, const Arguments& arguments, bool left,
                 bool right) {
  const Value* chars = arguments.Find(0, "chars");
  const bool given = chars && !chars->is_none();
  if (given && !chars->string()) return evaluator.Fail("strip needs a string of characters");
  return evaluator.Made(Strip(*self.string(), given ? chars->string() : nullptr, left, right));
}
Value StringStrip(Evaluator& e, const Value& s, const Arguments& a) {
  return StripSides(e, s, a, true, true);
}
Value StringLstrip(Evaluator& e, const Value& s, const Arguments& a) {
  return StripSides(e, s, a, true, false);
}
Value StringRstrip(Evaluator& e, const Value& s, const Arguments& a) {
  return StripSides(e, s, a, false, true);
}

// str.split() without a separator: runs of white space separate, empty parts do not occur.
std::vector<Value> SplitOnSpaces(std::string_view text, int64_t max_count) {
  std::vector<Value> parts;
  size_t pos = 0;
  const auto skip = [&](bool spaces) {
    while (pos < text.size()) {
      const CodePoint c = CodePointAt(text, pos);
      if (IsPythonSpace(c.value) != spaces) break;
      pos += c.size_bytes;
    }
  };
  for (skip(true); pos < text.size(); skip(true)) {
    const size_t begin = pos;
    if (max_count >= 0 && static_cast<int64_t>(parts.size()) == max_count) {
      pos = text.size();
    } else {
      skip(false);
    }
    parts.push_back(Value(text.substr(begin, pos - begin)));
  }
  return parts;
}

Value StringSplit(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::string_view text = *self.string();
  const int64_t max_count = IntegerArgument(arguments, 1, "maxsplit", -1);
  const Value* separator = arguments.Find(0, "sep");
  if (!separator || separator->is_none()) {
    return evaluator.Made(Value::List(SplitOnSpaces(text, max_count)));
  }
  if (!separator->string() || separator->string()->empty()) {
    return evaluator.Fail("split needs a separator that is a string and not empty");
  }
  const std::string& by = *separator->string();
  std::vector<Value> parts;
  size_t pos = 0;
  while (max_count < 0 || static_cast<int64_t>(parts.size()) < max_count) {
    const size_t at = text.find(by, pos);
    if (at == std::string_view::npos) break;
    parts.push_back(Value(text.substr(pos, at - pos)));
    pos = at + by.size();
  }
  parts.push_back(Value(text.substr(pos)));
  return evaluator.Made(Value::List(std::move(parts)));
}

Value StringRsplit(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const int64_t max_count = IntegerArgument(arguments, 1, "maxsplit", -1);
  if (max_count < 0) return StringSplit(evaluator, self, arguments);
  const std::string* by = StringArgument(evaluator, arguments, 0, "sep");
  if (!by || by->empty()) return evaluator.Fail("rsplit with maxsplit needs a separator");
  std::string_view text = *self.string();
  std::vector<Value> parts;
  while (static_cast<int64_t>(parts.size()) < max_count) {
    const size_t at = text.rfind(*by);
    if (at == std::string_view::npos) break;
    parts.push_back(Value(text.substr(at + by->size())));
    text = text.substr(0, at);
  }
  parts.push_back(Value(text));
  std::reverse(parts.begin(), parts.end());
  return evaluator.Made(Value::List(std::move(parts)));
}

Value StringSplitlines(Evaluator& evaluator, const Value& self, const Arguments&) {
  std::vector<Value> lines;
  std::string_view text = *self.string();
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\n\r"), text.size());
    lines.push_back(Value(text.substr(0, end)));
    const bool is_pair = text.substr(end).starts_with("\r\n");
    text.remove_prefix(std::min(text.size(), end + (is_pair ? 2 : 1)));
  }
  return evaluator.Made(Value::List(std::move(lines)));
}

// startswith and endswith: `matches` says whether one string fits; a tuple fits if any of it does.
template <typename Matches>
Value MatchesAny(Evaluator& evaluator, const Arguments& arguments, Matches matches) {
  const Value* what = arguments.Find(0, "prefix");
  if (what && what->string()) return matches(*what->string());
  if (!what || !what->list()) return evaluator.Fail("startswith and endswith need a string");
  for (const Value& item : what->list()->items) {
    if (item.string() && matches(*item.string())) return true;
  }
  return false;
}
Value StringStartswith(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  return MatchesAny(evaluator, arguments,
                    [&](const std::string& what) { return self.string()->starts_with(what); });
}
Value StringEndswith(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  return MatchesAny(evaluator, arguments,
                    [&](const std::string& what) { return self.string()->ends_with(what); });
}

Value StringReplace(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::string* from = StringArgument(evaluator, arguments, 0, "old");
  const std::string* to = StringArgument(evaluator, arguments, 1, "new");
  if (!from || !to) return Value();
  return Replace(evaluator, *self.string(), *from, *to, IntegerArgument(arguments, 2, "count", -1));
}

Value StringJoin(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const Value* list = arguments.Find(0, "iterable");
  const auto items = list ? Items(*list) : std::nullopt;
  if (!items) return evaluator.Fail("join needs a list of strings");
  std::string out;
  for (size_t i = 0; i < items->size(); ++i) {
    const std::string* item = (*items)[i].string();
    if (!item) return evaluator.Fail("join needs a list of strings");
    if (!evaluator.Charge(item->size() + self.string()->size())) return Value();
    if (i > 0) out += *self.string();
    out += *item;
  }
  return evaluator.Made(std::move(out));
}

Value StringUpper(Evaluator& e, const Value& s, const Arguments&) {
  return e.Made(ToUpper(*s.string()));
}
Value StringLower(Evaluator& e, const Value& s, const Arguments&) {
  return e.Made(ToLower(*s.string()));
}
Value StringTitle(Evaluator& e, const Value& s, const Arguments&) {
  return e.Made(ToTitle(*s.string()));
}
Value StringCapitalize(Evaluator& e, const Value& s, const Arguments&) {
  return e.Made(Capitalize(*s.string()));
}

Value FoundAt(const std::string& text, size_t at) {
  if (at == std::string::npos) return int64_t{-1};
  return static_cast<int64_t>(CountCodePoints(std::string_view(text).substr(0, at)));
}
Value StringFind(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::string* what = StringArgument(evaluator, arguments, 0, "sub");
  return what ? FoundAt(*self.string(), self.string()->find(*what)) : Value();
}
Value StringRfind(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::string* what = StringArgument(evaluator, arguments, 0, "sub");
  return what ? FoundAt(*self.string(), self.string()->rfind(*what)) : Value();
}

Value StringCount(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::string* what = StringArgument(evaluator, arguments, 0, "sub");
  if (!what) return Value();
  if (what->empty()) return static_cast<int64_t>(CountCodePoints(*self.string())) + 1;
  int64_t count = 0;
  for (size_t at = 0; (at = self.string()->find(*what, at)) != std::string::npos;) {
    ++count;
    at += what->size();
  }
  return count;
}

Value StringRemoveprefix(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::string* what = StringArgument(evaluator, arguments, 0, "prefix");
  if (!what || !self.string()->starts_with(*what)) return self;
  return evaluator.Made(self.string()->substr(what->size()));
}
Value StringRemovesuffix(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::string* what = StringArgument(evaluator, arguments, 0, "suffix");
  if (!what || !self.string()->ends_with(*what)) return self;
  return evaluator.Made(self.string()->substr(0, self.string()->size() - what->size()));
}

Value StringIsdigit(Evaluator&, const Value& self, const Arguments&) {
  return !self.string()->empty() &&
         self.string()->find_first_not_of("0123456789") == std::string::npos;
}

Value ListIndex(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::vector<Value>& items = self.list()->items;
  const Value* what = arguments.Find(0, "value");
  if (!evaluator.Charge(self.weight())) return Value();
  for (size_t i = 0; what && i < items.size(); ++i) {
    if (Equal(items[i], *what)) return static_cast<int64_t>(i);
  }
  return evaluator.Fail("index does not find the value in the list");
}
Value ListCount(Evaluator& evaluator, const Value& self, const Arguments& arguments) {
  const std::vector<Value>& items = self.list()->items;
  const Value* what = arguments.Find(0, "value");
  if (!what || !evaluator.Charge(self.weight())) return int64_t{0};
  return static_cast<int64_t>(std::count_if(items.begin(), items.end(),
                                            [&](const Value& item) { return Equal(item, *what); }));
}
Value Unsafe(Evaluator& evaluator, const Value&, const Arguments&) {
  return evaluator.Fail("lists and dicts cannot be changed in a chat template");
}

Value DictItems(Evaluator& evaluator, const Value& self, const Arguments&) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : self.dict()->items) pairs.push_back(Value::Tuple({key, value}));
  return evaluator.Made(Value::List(std::move(pairs)));
}
Value DictKeys(Evaluator& evaluator, const Value& self, const Arguments&) {
  return evaluator.Made(Value::List(*Items(self)));
}
Value DictValues(Evaluator& evaluator, const Value& self, const Arguments&) {
  std::vector<Value> values;
  for (const auto& item : self.dict()->items) values.push_back(item.second);
  return evaluator.Made(Value::List(std::move(values)));
}
Value DictGet(Evaluator&, const Value& self, const Arguments& arguments) {
  const Value* key = arguments.Find(0, "key");
  const Value* found = key && key->string() ? self.dict()->Find(*key->string()) : nullptr;
  if (found) return *found;
  const Value* otherwise = arguments.Find(1, "default");
  return otherwise ? *otherwise : Value(None{});
}

Value Range(Evaluator& evaluator, const Arguments& arguments) {
  for (const Value& argument : arguments.positional) {
    if (!argument.is_integer()) return evaluator.Fail("range needs integers");
  }
  if (arguments.positional.empty()) return evaluator.Fail("range needs an end");
  const bool has_start = arguments.positional.size() > 1;
  const int64_t start = has_start ? arguments.positional[0].integer() : 0;
  const int64_t stop = arguments.positional[has_start ? 1 : 0].integer();
  const int64_t step = IntegerArgument(arguments, 2, "step", 1);
  if (step == 0) return evaluator.Fail("range needs a step that is not 0");
  std::vector<Value> items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (!evaluator.Charge(sizeof(Value))) return Value();
    items.push_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return evaluator.Made(Value::List(std::move(items)));
}

Value MakeDict(Evaluator& evaluator, const Arguments& arguments) {
  std::vector<std::pair<std::string, Value>> items;
  if (!arguments.positional.empty()) {
    if (!arguments.positional[0].dict()) return evaluator.Fail("dict needs a dict or named values");
    items = arguments.positional[0].dict()->items;
  }
  items.insert(items.end(), arguments.named.begin(), arguments.named.end());
  return evaluator.Made(Value::Dict(std::move(items)));
}

Value MakeNamespace(Evaluator& evaluator, const Arguments& arguments) {
  const Value values = MakeDict(evaluator, arguments);
  if (evaluator.failed()) return Value();
  NamespaceData* space = evaluator.NewNamespace();
  for (const auto& [key, value] : values.dict()->items)
    space->attributes.insert_or_assign(key, value);
  return space;
}

Value RaiseException(Evaluator& evaluator, const Arguments& arguments) {
  const Value* message = arguments.Find(0, "message");
  const std::string text = message ? evaluator.Text(*message) : "";
  return evaluator.Fail(absl::StrCat("the template refuses: ", text));
}

Value StrftimeNow(Evaluator& evaluator, const Arguments& arguments) {
  const std::string* format = StringArgument(evaluator, arguments, 0, "format");
  if (!format) return Value();
  if (format->empty()) return *format;
  std::array<char, 1024> buffer;
  const size_t size =
      std::strftime(buffer.data(), buffer.size(), format->c_str(), &evaluator.now());
  if (size == 0) return evaluator.Fail("strftime_now gives no text or more than 1023 bytes");
  return evaluator.Made(ToValidUtf8({buffer.data(), size}));
}

struct NamedMethod {
  std::string_view name;
  Builtin method;
};

constexpr NamedMethod kStringMethods[] = {
    {"strip", StringStrip},
    {"lstrip", StringLstrip},
    {"rstrip", StringRstrip},
    {"split", StringSplit},
    {"rsplit", StringRsplit},
    {"splitlines", StringSplitlines},
    {"startswith", StringStartswith},
    {"endswith", StringEndswith},
    {"replace", StringReplace},
    {"join", StringJoin},
    {"upper", StringUpper},
    {"lower", StringLower},
    {"title", StringTitle},
    {"capitalize", StringCapitalize},
    {"find", StringFind},
    {"rfind", StringRfind},
    {"count", StringCount},
    {"removeprefix", StringRemoveprefix},
    {"isdigit", StringIsdigit},
    {"removesuffix", StringRemovesuffix},
};
constexpr NamedMethod kListMethods[] = {{"index", ListIndex}, {"count", ListCount},
                                        {"append", Unsafe},   {"extend", Unsafe},
                                        {"insert", Unsafe},   {"pop", Unsafe}};
constexpr NamedMethod kDictMethods[] = {{"items", DictItems}, {"keys", DictKeys},
                                        {"get", DictGet},     {"values", DictValues},
                                        {"update", Unsafe},   {"pop", Unsafe}};

template <typename Table>
Builtin FindIn(const Table& table, std::string_view name) {
  for (const NamedMethod& entry : table) {
    if (entry.name == name) return entry.method;
  }
  return nullptr;
}

void AddFunction(Variables* variables, const std::string& name,
                 Value (*call)(Evaluator&, const Arguments&)) {
  FunctionData function;
  function.name = name;
  function.call = call;
  variables->insert_or_assign(name, Value(std::move(function)));
}

}  // namespace

Builtin FindMethod(const Value& object, std::string_view name) {
  if (object.string()) return FindIn(kStringMethods, name);
  if (object.list()) return FindIn(kListMethods, name);
  if (object.dict()) return FindIn(kDictMethods, name);
  return nullptr;
}

void AddGlobals(Variables* variables) {
  AddFunction(variables, "range", Range);
  AddFunction(variables, "dict", MakeDict);
  AddFunction(variables, "namespace", MakeNamespace);
  AddFunction(variables, "raise_exception", RaiseException);
  AddFunction(variables, "strftime_now", StrftimeNow);
}

}  // namespace kvscope::inference::jinja
