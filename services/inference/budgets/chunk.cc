// chunk: cuts the context into chunks and compresses each on its own.  Source: FINCH, Corallo and
// Papotti 2024, arXiv:2408.00167, as kvpress 0.5.5's ChunkPress.
//
// Every `chunk_length` tokens are scored as if they were the whole context (sinks and windows are
// the chunk's own), and each chunk keeps KeptCount of its tokens, so short chunks round on their
// own. A last chunk that is too short for the scorer (no more tokens than its sinks), where kvpress
// stops with an assertion, keeps its first tokens, up to its count.
#include <algorithm>

#include "services/inference/budgets/budget.h"
#include "services/inference/budgets/top_k.h"

namespace kvscope::inference {
namespace {

class Chunk final : public Budget {
 public:
  explicit Chunk(const ParameterValues& values) : chunk_length_(static_cast<int>(values[0])) {}

  int score_span_tokens() const override { return chunk_length_; }

  void Keep(ConstScoreMatrix scores, int layer, double compression_ratio,
            KeepSet& kept) const override {
    const int tokens = static_cast<int>(scores.cols());
    for (int begin = 0; begin < tokens; begin += chunk_length_) {
      const int length = std::min(chunk_length_, tokens - begin);
      const int count = KeptCount(length, compression_ratio);
      for (int head = 0; head < scores.rows(); ++head) {
        const float* chunk = scores.row(head).data() + begin;
        for (const int token : TopK({chunk, chunk + length}, count)) {
          kept.Keep(layer, head, begin + token);
        }
      }
    }
  }

 private:
  const int chunk_length_;
};

constexpr ParameterInfo kParameters[] = {
    {.name = "chunk_length",
     .type = "int",
     .default_value = "1024",
     .range = "[1, 1000000]",
     .min = 1,
     .max = 1000000,
     .summary = "Tokens of a chunk; the last may be shorter."},
};

}  // namespace

extern constinit const BudgetInfo kChunk = {
    .name = "chunk",
    .kvpress_name = "ChunkPress",
    .summary = "Scores and compresses each chunk of the context on its own.",
    .source = "arXiv:2408.00167",
    .parameters = kParameters,
    .make = MakeBudget<Chunk>,
};

}  // namespace kvscope::inference
