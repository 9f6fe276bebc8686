#pragma once

#include <string_view>

namespace kvscope::orchestrator {

inline constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                               "May",       "June",     "July",     "August",
                                               "September", "October",  "November", "December"};

}  // namespace kvscope::orchestrator
