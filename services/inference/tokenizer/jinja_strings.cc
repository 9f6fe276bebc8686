// String work that filters and methods share, and slices.
#include <utf8proc.h>

#include <algorithm>

#include "services/inference/tokenizer/jinja_builtins.h"
#include "services/inference/tokenizer/unicode.h"

namespace kvscope::inference::jinja {
namespace {

template <typename Map>
std::string MapCharacters(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const CodePoint c = CodePointAt(text, pos);
    AppendUtf8(static_cast<char32_t>(map(static_cast<utf8proc_int32_t>(c.value))), &out);
    pos += c.size_bytes;
  }
  return out;
}

bool IsCased(utf8proc_int32_t c) {
  const utf8proc_category_t category = utf8proc_category(c);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

}  // namespace

std::string ToUpper(std::string_view text) {
  std::string out = MapCharacters(text, [](utf8proc_int32_t c) {
    return c == 0xDF ? c : utf8proc_toupper(c);  // the one common letter that becomes two
  });
  for (size_t at = 0; (at = out.find("\u00DF", at)) != std::string::npos;) out.replace(at, 2, "SS");
  return out;
}
std::string ToLower(std::string_view text) { return MapCharacters(text, utf8proc_tolower); }

std::string ToTitle(std::string_view text) {
  bool in_word = false;
  return MapCharacters(text, [&](utf8proc_int32_t c) {
    const utf8proc_int32_t mapped = in_word ? utf8proc_tolower(c) : utf8proc_totitle(c);
    in_word = IsCased(c);
    return mapped;
  });
}

std::string Capitalize(std::string_view text) {
  bool first = true;
  return MapCharacters(text, [&](utf8proc_int32_t c) {
    const utf8proc_int32_t mapped = first ? utf8proc_totitle(c) : utf8proc_tolower(c);
    first = false;
    return mapped;
  });
}

std::string Strip(std::string_view text, const std::string* chars, bool left, bool right) {
  const auto goes = [&](const CodePoint& c, std::string_view bytes) {
    return chars ? chars->find(bytes) != std::string::npos : IsPythonSpace(c.value);
  };
  while (left && !text.empty()) {
    const CodePoint c = CodePointAt(text, 0);
    if (!goes(c, text.substr(0, c.size_bytes))) break;
    text.remove_prefix(c.size_bytes);
  }
  while (right && !text.empty()) {
    const CodePoint c = CodePointBefore(text, text.size());
    if (!goes(c, text.substr(text.size() - c.size_bytes))) break;
    text.remove_suffix(c.size_bytes);
  }
  return std::string(text);
}

Value Replace(Evaluator& evaluator, std::string_view text, std::string_view from,
              std::string_view to, int64_t count) {
  std::string out;
  size_t pos = 0;
  for (; count != 0 && !evaluator.failed(); --count) {
    if (from.empty()) {  // Python puts `to` before every character and at the end
      if (!evaluator.Charge(to.size())) break;
      out += to;
      if (pos >= text.size()) break;
      const size_t size = CodePointAt(text, pos).size_bytes;
      out += text.substr(pos, size);
      pos += size;
      continue;
    }
    const size_t at = text.find(from, pos);
    if (at == std::string_view::npos || !evaluator.Charge(to.size())) break;
    out.append(text.substr(pos, at - pos)).append(to);
    pos = at + from.size();
  }
  out += text.substr(std::min(pos, text.size()));
  return evaluator.Made(std::move(out));
}

std::optional<bool> Contains(const Value& haystack, const Value& needle) {
  if (haystack.string()) {
    if (!needle.string()) return std::nullopt;
    return haystack.string()->find(*needle.string()) != std::string::npos;
  }
  if (haystack.list()) {
    const std::vector<Value>& items = haystack.list()->items;
    return std::any_of(items.begin(), items.end(),
                       [&](const Value& item) { return Equal(item, needle); });
  }
  if (haystack.dict()) return needle.string() && haystack.dict()->Find(*needle.string());
  if (haystack.is_undefined()) return false;
  return std::nullopt;
}

Value Slice(Evaluator& evaluator, const Value& sequence, const Value& begin, const Value& end,
            const Value& step) {
  const auto absent = [](const Value& part) { return part.is_none() || part.is_undefined(); };
  for (const Value* part : {&begin, &end, &step}) {
    if (!absent(*part) && !part->is_integer()) {
      return evaluator.Fail("a slice's bounds must be integers");
    }
  }
  if (!sequence.list() && !sequence.string()) {
    return evaluator.Fail("a value of type " + std::string(TypeName(sequence)) +
                          " cannot be sliced");
  }
  const int64_t stride = absent(step) ? 1 : step.integer();
  if (stride == 0) return evaluator.Fail("a slice's step must not be 0");
  const auto length = static_cast<int64_t>(*Length(sequence));
  // Negative bounds count from the end; then both are clamped to where the stride can begin and
  // end.
  const int64_t lowest = stride < 0 ? -1 : 0;
  const int64_t highest = stride < 0 ? length - 1 : length;
  const auto bound = [&](const Value& part, int64_t otherwise) {
    if (absent(part)) return otherwise;
    const int64_t value = part.integer();
    return std::clamp(value < 0 ? std::max(value, -length - 1) + length : value, lowest, highest);
  };
  const int64_t first = bound(begin, stride < 0 ? highest : lowest);
  const int64_t last = bound(end, stride < 0 ? lowest : highest);

  if (sequence.string() && stride == 1 && IsAscii(*sequence.string())) {
    return evaluator.Made(sequence.string()->substr(first, std::max<int64_t>(0, last - first)));
  }
  if (!evaluator.Charge(static_cast<size_t>(length) * sizeof(Value))) return Value();
  const std::vector<Value> items = *Items(sequence);
  std::vector<Value> taken;
  for (int64_t i = first; stride < 0 ? i > last : i < last;) {
    taken.push_back(items[i]);
    if (__builtin_add_overflow(i, stride, &i)) break;
  }
  if (sequence.string()) {
    std::string text;
    for (const Value& item : taken) text += *item.string();
    return evaluator.Made(std::move(text));
  }
  return evaluator.Made(sequence.list()->is_tuple ? Value::Tuple(std::move(taken))
                                                  : Value::List(std::move(taken)));
}

}  // namespace kvscope::inference::jinja
