// One entry of the list of metrics: what `kvscope metrics` prints.
#pragma once

#include <string_view>

namespace kvscope::metrics {

enum class MetricLevel {
  kAnswer,  // a value an answer row has
  kCell,    // a value of one (passage, press, ratio) cell, the same for all its answers
  kRate,    // a value of a group of answers, most often a share: of a press and ratio, say
};

// "answer", "cell", "rate".
std::string_view MetricLevelName(MetricLevel level);

struct MetricInfo {
  std::string_view name;       // the column's or field's name
  std::string_view summary;    // one line
  std::string_view unit;       // what it counts, with its range
  std::string_view source;     // where it is defined
  std::string_view null_when;  // when there is no value; empty: always there
  MetricLevel level;
};

}  // namespace kvscope::metrics
