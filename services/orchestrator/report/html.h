// Text from outside, made safe to stand in a page.
#pragma once

#include <string>
#include <string_view>

namespace kvscope::orchestrator {

// For element content and quoted attributes: & < > " ' as entities, invalid UTF-8 and control
// characters other than tab and newline as U+FFFD.
std::string EscapeHtml(std::string_view text);

// For JSON inside a <script> element: < > & and U+2028, U+2029 as \u escapes, so that neither
// "</script>" nor "<!--" can occur.  `json` must be valid JSON.
std::string EscapeScriptJson(std::string_view json);

}  // namespace kvscope::orchestrator
