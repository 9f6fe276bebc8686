#include "services/orchestrator/schedule/fair_share.h"

#include <algorithm>

namespace kvscope::orchestrator {

double FairShare::Start(const std::string& user) const {
  const auto found = finish_.find(user);
  return found == finish_.end() ? now_ : std::max(now_, found->second);
}

void FairShare::Serve(const std::string& user, double streams) {
  now_ = Start(user);
  finish_[user] = now_ + streams;
}

}  // namespace kvscope::orchestrator
