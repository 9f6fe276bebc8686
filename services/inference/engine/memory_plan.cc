#include "services/inference/engine/memory_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/inference/engine/state.h"
#include "services/inference/models/load.h"
#include "services/inference/models/workspace.h"
#include "services/inference/ops/cuda/scratch.h"

namespace kvscope::inference {
namespace {

constexpr int64_t kFloat = sizeof(float), kWord = sizeof(uint64_t);

std::string Bytes(int64_t bytes) {
  const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit < 3; ++unit) value /= 1024;
  return absl::StrFormat("%.1f %s", value, units[unit]);
}

int64_t Sum(const std::vector<MemoryPart>& parts) {
  return std::accumulate(parts.begin(), parts.end(), int64_t{0},
                         [](int64_t sum, const MemoryPart& part) { return sum + part.bytes; });
}

bool NeedsQueries(const Grid& grid) {
  return std::any_of(grid.presses.begin(), grid.presses.end(),
                     [](const Press& press) { return press.scorer->needs().queries; });
}

std::vector<MemoryPart> PlanWeights(const ModelConfig& config, DType compute) {
  const auto stored = static_cast<int64_t>(DTypeSize(config.dtype));
  const int64_t table = int64_t{config.vocab_size} * config.hidden_size;
  const int64_t tables = config.tie_word_embeddings ? 1 : 2;
  // The head is packed beside the table of embeddings even where they are tied. float16 is widened.
  const int64_t others = ParameterCount(config) - tables * table;
  const int64_t products = (others + table) * static_cast<int64_t>(DTypeSize(compute));
  return {{"weights of products", products},
          {"embeddings", table * (config.dtype == DType::kFloat16 ? kFloat : stored)}};
}

// What Workspace holds for steps of so many rows, their results included.
int64_t Activations(const ModelConfig& config, int64_t rows, bool selects) {
  const int64_t piece = std::min(rows, Workspace::kPieceRows);
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t q_width = int64_t{config.q_heads} * config.head_dim;
  const int64_t kv_width = int64_t{config.kv_heads} * config.head_dim;
  const int64_t row = hidden + 2 * q_width + 4 * kv_width + (selects ? hidden + q_width : 0);
  const int64_t part = 2 * hidden + std::max(2 * inner, q_width + 2 * kv_width) + inner;
  return kFloat * (rows * row + piece * part);
}

}  // namespace

int64_t MemoryPlan::weight_bytes() const { return Sum(weights); }
int64_t MemoryPlan::evaluation_bytes() const { return Sum(evaluation); }

MemoryPlan PlanMemory(const Engine::State& engine, const Grid& grid, const PassageSize& size,
                      const DecodeSlices& slices) {
  const ModelConfig& config = engine.config;
  const int64_t hidden = config.hidden_size, tokens = size.context_tokens;
  const int64_t q_width = int64_t{config.q_heads} * config.head_dim;
  const int64_t token = KvBytesPerToken(config.layers, config.kv_heads, config.head_dim);
  const int64_t points = static_cast<int64_t>(grid.presses.size() * grid.ratios.size());
  const int64_t streams = points * size.questions;
  const int64_t slot = token * (size.suffix_tokens + grid.max_new_tokens - 1);
  const int64_t slots =
      std::clamp<int64_t>(slices.max_suffix_bytes / slot, 1, std::max<int64_t>(streams, 1));
  const int64_t step_rows =
      std::min(static_cast<int64_t>(slices.max_rows), slots * size.suffix_tokens);
  const int64_t rows = std::max(step_rows, std::min(tokens, Workspace::kPieceRows));
  const int64_t logits = std::min<int64_t>(kDecodeLogitRows, streams);
  const int64_t words = (tokens + 63) / 64;

  MemoryPlan plan;
  plan.weights = PlanWeights(config, engine.compute);
  std::vector<MemoryPart>& parts = plan.evaluation;
  parts.push_back({"KV cache of the context", token * tokens});
  parts.push_back({"KV caches of questions and answers", slot * slots});
  parts.push_back({"prefill's hidden states", kFloat * hidden * tokens});
  if (NeedsQueries(grid)) {
    parts.push_back({"queries of two layers", 2 * kFloat * q_width * tokens});
  }
  parts.push_back({"activations", Activations(config, rows, /*selects=*/true)});
  parts.push_back({"logits", kFloat * logits * (hidden + config.vocab_size)});
  parts.push_back({"keep sets", kWord * config.layers * points * config.kv_heads * words});
  if (engine.info.device.starts_with("cuda")) {
    parts.push_back(
        {"attention, cuBLAS, arguments",
         cuda::BytesBesideTensors(
             {.rows = rows,
              .tokens = tokens,
              .positions = tokens + size.suffix_tokens + grid.max_new_tokens,
              .q_heads = config.q_heads,
              .kv_heads = config.kv_heads,
              .head_dim = config.head_dim,
              .widest = std::max<int64_t>({hidden, q_width, config.intermediate_size})})});
  }
  return plan;
}

absl::Status CheckFits(const MemoryPlan& plan, int64_t available_bytes) {
  if (plan.bytes() <= available_bytes) return absl::OkStatus();
  std::vector<MemoryPart> parts = plan.weights;
  parts.insert(parts.end(), plan.evaluation.begin(), plan.evaluation.end());
  std::stable_sort(parts.begin(), parts.end(),
                   [](const MemoryPart& a, const MemoryPart& b) { return a.bytes > b.bytes; });
  std::string most;
  for (size_t i = 0; i < std::min<size_t>(parts.size(), 3); ++i) {
    absl::StrAppend(&most, i == 0 ? "" : ", ", parts[i].name, " ", Bytes(parts[i].bytes));
  }
  return absl::ResourceExhaustedError(absl::StrCat(Bytes(plan.bytes()), " are needed, but ",
                                                   Bytes(available_bytes), " are there (", most,
                                                   ", ...)"));
}

}  // namespace kvscope::inference
