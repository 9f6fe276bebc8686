#include "tests/bench/orchestrator/sweep_grid.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace kvscope::bench {
namespace {

constexpr int kRowsAChunk = 1000;

// A number in [0, 1) that looks random.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  double Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

 private:
  uint64_t state_;
};

void FillAnswer(const SweepGrid& grid, double ratio, int question, Numbers& numbers,
                v1::AnswerResult& row) {
  row.set_answer(absl::StrCat("In the year ", static_cast<int>(1000 + 1000 * numbers.Next())));
  row.set_generated_tokens(12);
  row.set_ended(true);
  v1::AnswerMetrics& metrics = *row.mutable_metrics();
  const double f1 = std::clamp(1.2 * numbers.Next() - ratio + 0.4, 0.0, 1.0);
  metrics.set_question_index(question);
  metrics.set_f1(f1);
  metrics.set_exact(f1 == 1);
  metrics.set_outcome(f1 >= 0.5 ? v1::AnswerMetrics::CORRECT : v1::AnswerMetrics::HALLUCINATION);
  metrics.set_ger(ratio * numbers.Next());
  metrics.set_ger_layer_mean(ratio * numbers.Next());
  metrics.set_consensus_mean(4 * numbers.Next());
  metrics.set_agreement_max(numbers.Next());
  metrics.set_generated_consensus_mean(4 * numbers.Next());
  metrics.set_generated_agreement_max(numbers.Next());
  metrics.set_answer_mass_mean(numbers.Next());
  for (int layer = 0; layer < grid.layers; ++layer) {
    metrics.add_ger_layer(numbers.Next());
    metrics.add_consensus_layer(4 * numbers.Next());
    metrics.add_agreement_layer(numbers.Next());
  }
}

void FillCell(const SweepGrid& grid, double ratio, int question, Numbers& numbers,
              v1::CellResult& cell) {
  cell.set_question_index(question);
  cell.set_context_tokens(2000);
  cell.set_full_bytes(2000 * 12288);
  cell.set_kept_bytes(static_cast<int64_t>(2000 * 12288 * (1 - ratio)));
  v1::CellMetrics& metrics = *cell.mutable_metrics();
  metrics.set_eviction_rate(ratio * ratio);
  metrics.set_evicted_share(ratio);
  metrics.set_full_pair_count(96000);
  metrics.set_kept_pair_count(static_cast<int64_t>(96000 * (1 - ratio)));
  for (int layer = 0; layer < grid.layers; ++layer) {
    metrics.add_evicted_share_layer(numbers.Next());
    metrics.add_eviction_rate_layer(numbers.Next());
  }
}

// Rows are appended to a chunk until it is full.
class Chunks {
 public:
  v1::ResultChunk& Next() {
    if (rows_++ % kRowsAChunk == 0) chunks_.emplace_back();
    return chunks_.back();
  }
  std::vector<v1::ResultChunk> Take() { return std::move(chunks_); }

 private:
  std::vector<v1::ResultChunk> chunks_;
  int64_t rows_ = 0;
};

}  // namespace

v1::Passage MakePassage(const SweepGrid& grid, int dataset, int passage) {
  v1::Passage proto;
  proto.set_dataset(absl::StrCat("data-", dataset));
  proto.set_passage_id(absl::StrCat("data-", dataset, "-", passage));
  std::string& context = *proto.mutable_context();
  while (context.size() < 8000) {
    absl::StrAppend(&context, "Sentence ", context.size(), " of passage ", passage, " in data set ",
                    dataset, " says little. ");
  }
  for (int i = 0; i < grid.questions; ++i) {
    v1::Question& question = *proto.add_questions();
    question.set_question_id(absl::StrCat(proto.passage_id(), "-", i));
    question.set_question(absl::StrCat("What does sentence ", i, " of this passage say?"));
    question.set_answer("little");
    question.set_direction("forward");
    question.set_answer_type("Other");
    question.set_question_type("Standard");
  }
  return proto;
}

v1::SweepSpec MakeSpec(const SweepGrid& grid, const std::string& name, uint64_t seed,
                       const std::vector<v1::Dataset>& datasets) {
  v1::SweepSpec spec;
  spec.set_name(name);
  spec.set_model("scale-model");
  spec.set_device("cpu");
  spec.set_dtype("float32");
  for (const v1::Dataset& dataset : datasets) *spec.add_datasets() = dataset;
  for (int i = 0; i < grid.regimes; ++i) spec.add_regimes(static_cast<v1::Regime>(1 + i));
  for (int i = 0; i < grid.presses; ++i) {
    spec.add_presses(absl::StrCat("chunk(snapkv, chunk_length=", i + 1, ")"));
  }
  for (int i = 0; i < grid.ratios; ++i) spec.add_ratios(static_cast<double>(i) / grid.ratios);
  spec.set_max_new_tokens(32);
  spec.mutable_capture()->set_consensus(true);
  spec.mutable_scoring()->set_tokenizer("model");
  spec.set_seed(seed);
  return spec;
}

v1::CheckReply MakeCheckReply(const SweepGrid& grid, const std::string& sweep_id,
                              const v1::SweepSpec& spec) {
  v1::CheckReply reply;
  reply.set_sweep_id(sweep_id);
  v1::ModelInfo& model = *reply.mutable_model();
  model.set_name("scale-model");
  model.set_weights_digest("weights");
  model.set_tokenizer_digest("tokenizer");
  model.set_model_type("qwen2");
  model.set_layers(grid.layers);
  model.set_q_heads(14);
  model.set_kv_heads(2);
  model.set_head_dim(64);
  model.set_context_window(32768);
  model.set_device("cpu");
  model.set_dtype("float32");
  model.set_code_version(kCodeVersion);
  model.set_parameter_count(grid.parameter_count);
  *reply.mutable_presses() = spec.presses();
  reply.set_context_tokens_max(2000);
  reply.set_context_tokens_total(int64_t{2000} * grid.datasets * grid.passages);
  return reply;
}

std::vector<v1::ResultChunk> MakeResult(const SweepGrid& grid, const v1::Unit& unit) {
  Chunks chunks;
  Numbers numbers(unit.seed() + static_cast<uint64_t>(unit.first_passage()));
  const bool each = unit.regime() == v1::AWARE_EACH;
  for (int passage = 0; passage < unit.passages_size(); ++passage) {
    const int questions = unit.passages(passage).questions_size();
    for (int press = 0; press < unit.presses_size(); ++press) {
      for (int ratio = 0; ratio < unit.ratios_size(); ++ratio) {
        const auto place = [&](auto* row) {
          row->set_passage_index(passage);
          row->set_press_index(press);
          row->set_ratio_index(ratio);
          return row;
        };
        for (int question = each ? 0 : -1; question < (each ? questions : 0); ++question) {
          FillCell(grid, unit.ratios(ratio), question, numbers, *place(chunks.Next().add_cells()));
        }
        for (int question = 0; question < questions; ++question) {
          FillAnswer(grid, unit.ratios(ratio), question, numbers,
                     *place(chunks.Next().add_answers()));
        }
      }
    }
  }
  return chunks.Take();
}

}  // namespace kvscope::bench
