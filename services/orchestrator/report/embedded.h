// The files that travel inside the library: the page's style and script, the figures' specs and the
// Vega bundle that draws them.
#pragma once

#include <string_view>

namespace kvscope::orchestrator {

// The bytes of the file of that name in this folder's CMakeLists.txt; another name is a bug
// (abort).
std::string_view EmbeddedFile(std::string_view name);

}  // namespace kvscope::orchestrator
