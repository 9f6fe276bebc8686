#include "tests/orchestrator/report/example_input.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <sstream>
#include <utility>

#include "tests/orchestrator/report/example_statistics.h"

namespace kvscope::orchestrator {
namespace {

struct ExamplePress {
  const char* name;
  double cliff;   // ratio at which F1 has fallen to a half
  double spread;  // how differently its heads choose
};

constexpr std::array<ExamplePress, 4> kPresses = {{
    {"adakv(expected_attention)", 0.88, 0.5},
    {"chunk(expected_attention, chunk_length=64)", 0.72, 0.1},
    {"random", 0.35, 1.0},
    {"snapkv", 0.8, 0.3},
}};
constexpr std::array<double, 11> kRatios = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
constexpr std::array<const char*, 3> kDatasets = {"knowledge", "coreference", "hops"};
constexpr const char* kWords[] = {
    "Ada",           " Byron", " was",  " born", " on",   " 10",     " December",
    " 18",           "15",     ".",     " They", " work", " as",     " a",
    " cartographer", ".\n",    " They", " live", " in",   " Lunden", "."};

double Fall(double ratio, double cliff) { return 1 / (1 + std::exp(18 * (ratio - cliff))); }

ReportRow Row(const std::string& dataset, const std::string& regime, const ExamplePress& press,
              double ratio, std::mt19937& random) {
  const double noise = std::uniform_real_distribution<double>(-0.008, 0.008)(random);
  const double cliff = press.cliff + (regime == "aware" ? 0.05 : 0);
  const double f1 = std::clamp(0.93 * Fall(ratio, cliff) / Fall(0, cliff) + noise, 0.0, 1.0);
  ReportRow row{.dataset = dataset, .regime = regime, .press = press.name, .ratio = ratio};
  row.answers = 520;
  row.ger_answers = 480;
  row.f1 = f1;
  row.exact = 0.9 * f1;
  row.unknown_rate = 0.2 * std::max(0.0, 0.93 - f1);
  row.hallucination_rate = std::max(0.0, 0.95 - f1 - row.unknown_rate);
  row.ger = std::pow(ratio, 1 + 8 * press.spread) * (ratio > 0);
  row.eviction_rate = std::pow(ratio, 1 + 9 * press.spread);
  row.evicted_share = ratio;
  row.kept_ratio = 1 - ratio;
  row.consensus_mean = 0.35 + 0.4 * ratio * press.spread + noise;
  return row;
}

ReportSurvivalMap Map(const std::string& dataset, const ExamplePress& press, double ratio,
                      const ExampleSize& size) {
  ReportSurvivalMap map{.dataset = dataset,
                        .passage_id = "p-7",
                        .regime = "agnostic",
                        .press = press.name,
                        .ratio = ratio,
                        .layers = size.layers,
                        .kv_heads = size.kv_heads};
  for (int t = 0; t < size.tokens; ++t) {
    map.tokens.push_back(kWords[t % std::size(kWords)]);
    map.answer_tokens.push_back(t % 60 == 14 || t % 60 == 19);
  }
  std::mt19937 shared(5), random(static_cast<uint32_t>(press.spread * 100));
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<double> worth(size.tokens);
  for (double& w : worth) w = unit(shared);
  const size_t row_bytes = (size.tokens + 7) / 8;
  map.bits.assign(row_bytes * size.layers * size.kv_heads, 0);
  for (int row = 0; row < size.layers * size.kv_heads; ++row) {
    for (int t = 0; t < size.tokens; ++t) {
      const double score = worth[t] * (1 - press.spread) + unit(random) * press.spread;
      if (score >= ratio) map.bits[row * row_bytes + t / 8] |= 1 << (t % 8);
    }
  }
  return map;
}

}  // namespace

ReportInput ExampleInput(const ExampleSize& size) {
  ReportInput input;
  input.title = "pocket-cliff";
  input.provenance = {{"model", "models/pocket-llama (llama, 4 layers, 4 query heads, 2 KV heads)"},
                      {"weights", "sha256 5da49c52ad9fc56b823cc479b8e5332324d1544b3f7ae493"},
                      {"data sets", "knowledge (pocket, 40 passages, seed 1)"},
                      {"regimes", "agnostic, aware"},
                      {"ratios", "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95"},
                      {"device", "cpu, float32, 2 threads"},
                      {"answers", "45760, none failed"},
                      {"version", "kvscope 0.1.0"}};
  std::mt19937 random(11);
  std::vector<std::string> datasets;
  for (int d = 0; d < size.datasets; ++d) {
    for (int m = 0; m < size.models; ++m) {
      const std::string model = m == 0 ? "pocket-llama" : "pocket-qwen" + std::to_string(m + 1);
      datasets.push_back(size.models == 1 ? kDatasets[d]
                                          : std::string(kDatasets[d]) + " \u00B7 " + model);
    }
  }
  for (const std::string& dataset : datasets) {
    for (const std::string regime : {"agnostic", "aware"}) {
      for (const ExamplePress& press : kPresses) {
        for (const double ratio : kRatios) {
          ReportRow& row = input.rows.emplace_back(Row(dataset, regime, press, ratio, random));
          for (int layer = 0; layer < size.layers; ++layer) {
            const double depth = static_cast<double>(layer) / size.layers;
            row.consensus_layer.push_back(0.3 + 0.5 * depth * (1 - ratio * press.spread));
            row.agreement_layer.push_back(0.7 - 0.4 * depth);
          }
        }
      }
    }
    for (const ExamplePress& press : kPresses) {
      for (const double ratio : {0.1, 0.5, 0.9}) {
        input.survival_maps.push_back(Map(dataset, press, ratio, size));
      }
    }
  }
  if (size.statistics) AddStatistics(input);
  return input;
}

std::string RenderReport(const ReportInput& input) {
  std::ostringstream page;
  WriteReport(input, page);
  return std::move(page).str();
}

}  // namespace kvscope::orchestrator
