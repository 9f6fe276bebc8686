// The filters, tests, methods and global functions of the template language, by name.
#pragma once

#include <string>
#include <string_view>

#include "services/inference/tokenizer/jinja_evaluator.h"

namespace kvscope::inference::jinja {

// `subject` is what the filter or test is applied to, or the object a method belongs to.
using Builtin = Value (*)(Evaluator& evaluator, const Value& subject, const Arguments& arguments);

// Null for an unknown name.
Builtin FindFilter(std::string_view name);
Builtin FindTest(std::string_view name);
Builtin FindMethod(const Value& object, std::string_view name);

// range, dict, namespace, raise_exception, strftime_now.
void AddGlobals(Variables* variables);

// Whether `needle in haystack`; nothing where Python raises.
std::optional<bool> Contains(const Value& haystack, const Value& needle);

// Python's str.strip(chars) and its one-sided forms; without `chars`, white space.
std::string Strip(std::string_view text, const std::string* chars, bool left, bool right);

std::string ToUpper(std::string_view text);
std::string ToLower(std::string_view text);
std::string ToTitle(std::string_view text);
// The first character in upper case, the rest in lower case.
std::string Capitalize(std::string_view text);

// str.replace(); `count` < 0: all.
Value Replace(Evaluator& evaluator, std::string_view text, std::string_view from,
              std::string_view to, int64_t count);

// sequence[begin:end:step] with Python's defaults and clamping; each part may be None or undefined.
Value Slice(Evaluator& evaluator, const Value& sequence, const Value& begin, const Value& end,
            const Value& step);

}  // namespace kvscope::inference::jinja
