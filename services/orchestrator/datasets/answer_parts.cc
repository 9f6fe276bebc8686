#include "services/orchestrator/datasets/answer_parts.h"

#include <algorithm>

namespace kvscope::orchestrator {

bool IsMadeOf(std::string_view answer, const std::vector<std::string>& parts) {
  constexpr std::string_view kJoints[] = {", and ", " and ", ", "};
  const bool all_stand = std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
    return answer.find(part) != std::string_view::npos;
  });
  if (!all_stand) return false;
  std::vector<bool> begins(answer.size() + 1, false);  // whether a part may begin there
  begins[0] = true;
  for (size_t at = 0; at < answer.size(); ++at) {
    if (!begins[at]) continue;
    for (const std::string& part : parts) {
      const std::string_view rest = answer.substr(at);
      if (part.empty() || !rest.starts_with(part)) continue;
      if (rest.size() == part.size()) return true;
      for (const std::string_view joint : kJoints) {
        if (rest.substr(part.size()).starts_with(joint))
          begins[at + part.size() + joint.size()] = true;
      }
    }
  }
  return false;
}

}  // namespace kvscope::orchestrator
