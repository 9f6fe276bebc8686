#include "services/inference/tokenizer/jinja_value.h"

#include <algorithm>
#include <cmath>

#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference::jinja {
namespace {

// Adds one item to a container's measures.
template <typename Data>
void Measure(Data* data, const Value& item, size_t key_size) {
  constexpr size_t kMax = size_t{1} << 60;
  data->depth = std::max(data->depth, item.depth() + 1);
  data->weight = std::min(kMax, data->weight + item.weight() + key_size + 4);
}

std::shared_ptr<const ListData> MakeList(std::vector<Value> items, bool is_tuple) {
  auto data = std::make_shared<ListData>();
  for (const Value& item : items) Measure(data.get(), item, 0);
  data->items = std::move(items);
  data->is_tuple = is_tuple;
  return data;
}

std::partial_ordering CompareNumbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.integer() <=> b.integer();
  return a.number() <=> b.number();
}

}  // namespace

Value::Value(std::string value) : data_(std::make_shared<const std::string>(std::move(value))) {}
Value::Value(FunctionData value) : data_(std::make_shared<const FunctionData>(std::move(value))) {}

Value Value::UndefinedNamed(std::string_view name) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(name)};
  return value;
}

Value Value::List(std::vector<Value> items) {
  Value value;
  value.data_ = MakeList(std::move(items), false);
  return value;
}

Value Value::Tuple(std::vector<Value> items) {
  Value value;
  value.data_ = MakeList(std::move(items), true);
  return value;
}

Value Value::Dict(std::vector<std::pair<std::string, Value>> items) {
  auto data = std::make_shared<DictData>();
  for (auto& [key, item] : items) {
    Measure(data.get(), item, key.size());
    const auto [at, inserted] = data->index.try_emplace(key, data->items.size());
    if (inserted) {
      data->items.emplace_back(std::move(key), std::move(item));
    } else {
      data->items[at->second].second = std::move(item);
    }
  }
  Value value;
  value.data_ = std::shared_ptr<const DictData>(std::move(data));
  return value;
}

const std::string* Value::string() const {
  const auto* held = std::get_if<std::shared_ptr<const std::string>>(&data_);
  return held ? held->get() : nullptr;
}
const ListData* Value::list() const {
  const auto* held = std::get_if<std::shared_ptr<const ListData>>(&data_);
  return held ? held->get() : nullptr;
}
const DictData* Value::dict() const {
  const auto* held = std::get_if<std::shared_ptr<const DictData>>(&data_);
  return held ? held->get() : nullptr;
}
NamespaceData* Value::name_space() const {
  auto* const* held = std::get_if<NamespaceData*>(&data_);
  return held ? *held : nullptr;
}
const FunctionData* Value::function() const {
  const auto* held = std::get_if<std::shared_ptr<const FunctionData>>(&data_);
  return held ? held->get() : nullptr;
}

int64_t Value::integer() const {
  const auto* held = std::get_if<int64_t>(&data_);
  return held ? *held : std::get<bool>(data_);
}
double Value::number() const {
  const auto* held = std::get_if<double>(&data_);
  return held ? *held : static_cast<double>(integer());
}
std::string Value::undefined_name() const {
  const auto* held = std::get_if<Undefined>(&data_);
  return held && held->name ? *held->name : "value";
}

int Value::depth() const {
  if (const ListData* data = list()) return data->depth;
  if (const DictData* data = dict()) return data->depth;
  if (const FunctionData* data = function()) return data->depth;
  return 0;
}

size_t Value::weight() const {
  if (const std::string* text = string()) return text->size();
  if (const ListData* data = list()) return data->weight;
  if (const DictData* data = dict()) return data->weight;
  return 8;
}

const Value* DictData::Find(const std::string& key) const {
  const auto found = index.find(key);
  return found == index.end() ? nullptr : &items[found->second].second;
}

const Value* Arguments::Find(size_t position, std::string_view name) const {
  if (position < positional.size()) return &positional[position];
  for (const auto& [key, value] : named) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view TypeName(const Value& value) {
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "NoneType";
  if (value.is_bool()) return "bool";
  if (value.is_integer()) return "int";
  if (value.is_float()) return "float";
  if (value.string()) return "str";
  if (value.list()) return value.list()->is_tuple ? "tuple" : "list";
  if (value.dict()) return "dict";
  return value.name_space() ? "Namespace" : "function";
}

bool IsTrue(const Value& value) {
  if (value.is_number()) return value.number() != 0;
  if (const auto length = Length(value)) return *length > 0;
  return !value.is_none();
}

bool Equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b) == 0;
  if (a.string() && b.string()) return *a.string() == *b.string();
  if (a.list() && b.list()) {
    return a.list()->is_tuple == b.list()->is_tuple &&
           std::equal(a.list()->items.begin(), a.list()->items.end(), b.list()->items.begin(),
                      b.list()->items.end(), Equal);
  }
  if (a.dict() && b.dict()) {
    if (a.dict()->items.size() != b.dict()->items.size()) return false;
    return std::all_of(a.dict()->items.begin(), a.dict()->items.end(), [&](const auto& item) {
      const Value* other = b.dict()->Find(item.first);
      return other && Equal(item.second, *other);
    });
  }
  if (a.name_space() || b.name_space()) return a.name_space() == b.name_space();
  if (a.function() || b.function()) return a.function() == b.function();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

std::optional<std::partial_ordering> Compare(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b);
  if (a.string() && b.string()) {
    return a.string()->compare(*b.string()) <=> 0;  // UTF-8 orders as code points do
  }
  if (!a.list() || !b.list() || a.list()->is_tuple != b.list()->is_tuple) return std::nullopt;
  const std::vector<Value>& left = a.list()->items;
  const std::vector<Value>& right = b.list()->items;
  for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    if (!Equal(left[i], right[i])) return Compare(left[i], right[i]);
  }
  return left.size() <=> right.size();
}

std::optional<size_t> Length(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.string()) return CountCodePoints(*value.string());
  if (value.list()) return value.list()->items.size();
  if (value.dict()) return value.dict()->items.size();
  return std::nullopt;
}

std::optional<std::vector<Value>> Items(const Value& value) {
  std::vector<Value> items;
  if (value.list()) return value.list()->items;
  if (value.dict()) {
    for (const auto& item : value.dict()->items) items.push_back(item.first);
  } else if (const std::string* text = value.string()) {
    for (size_t pos = 0; pos < text->size();) {
      const size_t size = CodePointAt(*text, pos).size_bytes;
      items.push_back(text->substr(pos, size));
      pos += size;
    }
  } else if (!value.is_undefined()) {
    return std::nullopt;
  }
  return items;
}

bool IsPythonSpace(char32_t c) { return IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }

}  // namespace kvscope::inference::jinja
