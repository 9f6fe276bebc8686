// What share of the machine the engine reaches on random weights of real shapes: model FLOP
// utilisation of prefill and of the grid's steps against the best product measured in the same run,
// and the bandwidth of decoding one stream against the machine's copy speed.
//
//   model_speed --shape llama-1b --part prefill --part decode        (--help lists the options)
//
// FLOPs counted are those of the arithmetic bound: two a weight and token, four a query head,
// dimension and token that the row may see; the end of the last layer and the vocabulary only where
// a token is chosen. It asserts nothing.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "services/inference/engine/decode.h"
#include "services/inference/engine/machine_peak.h"
#include "services/inference/engine/prefill.h"
#include "services/inference/models/load.h"
#include "services/inference/models/rope.h"
#include "services/inference/ops/backends.h"
#include "services/short_waits.h"
#include "tests/bench/engine/machine.h"
#include "tests/bench/engine/model_shapes.h"

namespace kvscope::inference {
namespace {

// Weights with the variance that keeps activations in range; a row of noise is reused, so that a
// billion of them take a second.
class Noise {
 public:
  Noise() : numbers_(1 << 20) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& number : numbers_) number = normal(random);
  }
  Tensor Matrix(int64_t out, int64_t in) {
    Tensor tensor = AllocateHost(DType::kBFloat16, {out, in});
    auto* bits = static_cast<uint16_t*>(tensor.data());
    const float scale = 1.0f / std::sqrt(static_cast<float>(in));
    for (int64_t i = 0; i < out * in; ++i) {
      bits[i] = FloatToBFloat16(numbers_[static_cast<size_t>(at_++ * 7 % (1 << 20))] * scale);
    }
    return tensor;
  }

 private:
  std::vector<float> numbers_;
  int64_t at_ = 0;
};

Tensor Filled(Ops& ops, std::vector<int64_t> shape, float value) {
  const Tensor host = AllocateHost(DType::kFloat32, std::move(shape));
  std::fill_n(host.f32(), host.size(), value);
  return ops.Upload(host);
}

// Waits for what has been put into the device's stream.
void Finish(Ops& ops, const Tensor& tensor) {
  static std::vector<float> row;
  if (ops.uses_host_memory()) return;
  const Tensor first = tensor.Slice(0, 1);
  row.resize(static_cast<size_t>(first.size()));
  ops.ToHost(first, row.data());
}

LoadedModel RandomModel(const ModelConfig& config, DType compute, std::unique_ptr<Ops> made_ops) {
  LoadedModel model;
  model.config = config;
  model.compute = compute;
  model.ops = std::move(made_ops);
  Noise noise;
  Ops& ops = *model.ops;
  const auto linear = [&](int64_t out, int64_t in) {
    return ops.Pack(noise.Matrix(out, in), Tensor(), compute);
  };
  ModelWeights weights;
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t q_width = int64_t{config.q_heads} * config.head_dim;
  const Tensor embedding = noise.Matrix(config.vocab_size, hidden);
  weights.embedding = ops.Upload(embedding);
  weights.lm_head = ops.Pack(embedding, Tensor(), compute);
  weights.final_norm = Filled(ops, {hidden}, 1);
  for (int layer = 0; layer < config.layers; ++layer) {
    LayerWeights& w = weights.layers.emplace_back();
    w.input_norm = Filled(ops, {hidden}, 1);
    w.post_attention_norm = Filled(ops, {hidden}, 1);
    w.qkv = linear(q_width + int64_t{2} * config.kv_heads * config.head_dim, hidden);
    w.o = linear(hidden, q_width);
    w.gate_up = linear(2 * inner, hidden);
    w.down = linear(hidden, inner);
  }
  model.decoder = std::make_unique<Decoder>(config, MakeRope(config.rope, config.head_dim),
                                            std::move(weights), ops);
  return model;
}

double LayerWeightCount(const ModelConfig& config) {
  const double hidden = config.hidden_size;
  const double heads = config.q_heads + 2.0 * config.kv_heads;
  return config.layers *
         (hidden * heads * config.head_dim + hidden * config.q_heads * config.head_dim +
          3 * hidden * config.intermediate_size);
}
// FLOPs of one row that sees `tokens` positions.
double RowFlops(const ModelConfig& config, double tokens) {
  return 2 * LayerWeightCount(config) +
         4.0 * config.layers * config.q_heads * config.head_dim * tokens;
}
// What of those a row saves after which no token is chosen: the last layer's but its keys and
// values.
double LastLayerFlops(const ModelConfig& config, double tokens) {
  const double kv = 2.0 * config.hidden_size * config.kv_heads * config.head_dim;
  return RowFlops(config, tokens) / config.layers - 2 * kv;
}
double LogitFlops(const ModelConfig& config) {
  return 2.0 * config.hidden_size * config.vocab_size;
}

std::vector<int32_t> RandomIds(int64_t count, int vocab, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<uint32_t>(vocab));
  return ids;
}

double BestSeconds(int runs, const std::function<void()>& work) {
  work();
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

// A random share of each head's tokens.
KeepSet RandomSet(const ModelConfig& config, int tokens, double ratio, uint32_t seed) {
  if (ratio == 0) return KeepSet::Everything(config.layers, config.kv_heads, tokens);
  std::mt19937 random(seed);
  KeepSet set(config.layers, config.kv_heads, tokens);
  std::vector<int> order(static_cast<size_t>(tokens));
  for (int layer = 0; layer < config.layers; ++layer) {
    for (int head = 0; head < config.kv_heads; ++head) {
      for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
      std::shuffle(order.begin(), order.end(), random);
      const auto kept = static_cast<size_t>(tokens * (1 - ratio));
      for (size_t i = 0; i < kept; ++i) set.Keep(layer, head, order[i]);
    }
  }
  return set;
}

struct Options {
  std::string shape = "qwen-0.5b", dtype = "bfloat16", device = "cpu";
  int tokens = 1000, question = 30, answer = 8, questions = 10, runs = 3;
  std::vector<std::string> parts;
  std::string machine = "measure";
};

// FLOP/s of its best product; bytes a second of reading, and of copying, read and written together.
struct Machine {
  double peak = 0, copy = 0, read = 0;  // 0: not measured
};

// Of the host, or of the device that is measured: there both speeds of memory are that of x += y.
Machine MeasureMachine(Ops& ops, DType compute) {
  const bool narrow = compute == DType::kBFloat16;
  if (ops.uses_host_memory()) {
    return {
        .peak = bench::ProductPeak(narrow), .copy = bench::CopySpeed(), .read = bench::ReadSpeed()};
  }
  const MachinePeak peak = MeasurePeak(ops);
  return {.peak = narrow ? peak.bfloat16_operations_per_second : peak.float32_operations_per_second,
          .copy = peak.memory_bytes_per_second,
          .read = peak.memory_bytes_per_second};
}

// Goes on in a line with what share of `whole` this is; 0: not measured.
void PrintShare(double part, double whole, const char* name) {
  if (whole > 0) std::printf(", %.1f%% of the %s", 100 * part / whole, name);
}

PrefillResult RunPrefill(const LoadedModel& model, std::span<const int32_t> ids,
                         LogitsWanted logits, Workspace& workspace) {
  PrefillRequest request;
  request.ids = ids;
  request.logits = logits;
  absl::StatusOr<PrefillResult> result = Prefill(model, request, workspace);
  if (!result.ok()) std::abort();
  return *std::move(result);
}

void RunStreams(const LoadedModel& model, const KvCache& context, std::span<const KeepSet> sets,
                std::span<const Stream> streams, int answer, Workspace& workspace) {
  StreamBatch batch;
  batch.sets = sets;
  batch.streams = streams;
  batch.max_new_tokens = answer;
  if (!DecodeStreams(*model.decoder, context, batch, workspace).ok()) std::abort();
}

void MeasurePrefill(const LoadedModel& model, const Options& options, const Machine& machine) {
  Workspace workspace(*model.ops, model.config);
  const std::vector<int32_t> ids = RandomIds(options.tokens, model.config.vocab_size, 1);
  const double seconds =
      BestSeconds(options.runs, [&] { RunPrefill(model, ids, LogitsWanted::kLast, workspace); });
  const double seen = options.tokens / 2.0;
  const double flops = options.tokens * RowFlops(model.config, seen) -
                       (options.tokens - 1) * LastLayerFlops(model.config, seen) +
                       LogitFlops(model.config);
  std::printf("prefill of %d tokens: %.3f s, %.0f GFLOP/s", options.tokens, seconds,
              flops / seconds / 1e9);
  PrintShare(flops / seconds, machine.peak, "product's peak");
  std::printf("\n");
}

void MeasureGrid(const LoadedModel& model, const Options& options, const Machine& machine) {
  const ModelConfig& config = model.config;
  Workspace workspace(*model.ops, config);
  const std::vector<int32_t> ids = RandomIds(options.tokens, config.vocab_size, 1);
  const PrefillResult prefill = RunPrefill(model, ids, LogitsWanted::kNone, workspace);
  std::vector<KeepSet> sets;
  double kept = 0;
  for (int press = 0; press < 2; ++press) {
    for (int ratio = press; ratio < 10; ++ratio) {
      sets.push_back(RandomSet(config, options.tokens, ratio * 0.1,
                               static_cast<uint32_t>(press * 10 + ratio)));
      kept += 1 - ratio * 0.1;
    }
  }
  std::vector<std::vector<int32_t>> questions;
  for (int q = 0; q < options.questions; ++q) {
    questions.push_back(
        RandomIds(options.question, config.vocab_size, static_cast<uint32_t>(q + 5)));
  }
  std::vector<Stream> streams;
  for (size_t set = 0; set < sets.size(); ++set) {
    for (const auto& question : questions) streams.push_back({.set = set, .suffix = question});
  }
  for (const int answer : {1, options.answer}) {
    const double seconds = BestSeconds(
        options.runs, [&] { RunStreams(model, prefill.cache, sets, streams, answer, workspace); });
    const double rows = options.question + answer - 1;  // of a stream
    const double own = rows / 2;
    double flops = static_cast<double>(streams.size()) * answer * LogitFlops(config);
    flops += options.questions * rows *
             (static_cast<double>(sets.size()) * RowFlops(config, own) +
              (RowFlops(config, kept * options.tokens) - RowFlops(config, 0)));
    flops -= static_cast<double>(streams.size()) * (options.question - 1) *
             LastLayerFlops(config, own + kept / static_cast<double>(sets.size()) * options.tokens);
    std::printf(
        "grid of %zu streams, %d question and %d answer tokens over %d: %.3f s, %.0f GFLOP/s",
        streams.size(), options.question, answer, options.tokens, seconds, flops / seconds / 1e9);
    PrintShare(flops / seconds, machine.peak, "product's peak");
    std::printf("\n");
  }
}

// The grid's attention in one layer by itself, over ever fewer kept tokens: 190 rows, 19 keep sets.
void MeasureAttention(const LoadedModel& model, const Options& options) {
  const ModelConfig& config = model.config;
  Ops& ops = *model.ops;
  constexpr int kSets = 19, kRows = 190, kCapacity = 64;
  Noise noise;
  const auto fill = [&](std::vector<int64_t> shape) {
    const Tensor tensor = AllocateHost(DType::kFloat32, std::move(shape));
    const Tensor numbers = noise.Matrix(tensor.size(), 1);
    CopyToFloat(numbers, numbers.size(), tensor.f32());
    return ops.Upload(tensor);
  };
  ModelConfig layer = config;  // whose keep sets are drawn
  layer.layers = 1;
  const Tensor k = fill({config.kv_heads, options.tokens, config.head_dim});
  const Tensor v = fill({config.kv_heads, options.tokens, config.head_dim});
  const Tensor own_k = fill({kRows, config.kv_heads, kCapacity, config.head_dim});
  const Tensor own_v = fill({kRows, config.kv_heads, kCapacity, config.head_dim});
  const Tensor q = fill({kRows, config.q_heads, config.head_dim});
  const Tensor out = ops.Allocate(DType::kFloat32, q.shape());
  std::vector<int32_t> set(kRows), slot(kRows);
  const std::vector<int32_t> length(kRows, kCapacity / 2);
  for (int32_t r = 0; r < kRows; ++r) {
    set[static_cast<size_t>(r)] = r % kSets;
    slot[static_cast<size_t>(r)] = r;
  }
  for (const double kept : {1.0, 0.75, 0.5, 0.25, 0.125, 0.0625}) {
    const int64_t words = (options.tokens + 63) / 64;
    const Tensor drawn_sets = AllocateHost(DType::kUInt64, {kSets, config.kv_heads, words});
    std::vector<int32_t> counts;
    for (uint32_t s = 0; s < kSets; ++s) {
      const KeepSet drawn = RandomSet(layer, options.tokens, 1 - kept, s);
      const std::span<const uint64_t> rows = drawn.layer(0);
      std::copy(rows.begin(), rows.end(), drawn_sets.u64() + s * rows.size());
      for (int head = 0; head < config.kv_heads; ++head) {
        counts.push_back(static_cast<int32_t>(drawn.kept_count(0, head)));
      }
    }
    const Tensor keep = ops.Upload(drawn_sets);
    const double seconds = BestSeconds(options.runs * 3, [&] {
      ops.Grid({.q = q,
                .k = k,
                .v = v,
                .tokens = options.tokens,
                .keep = keep,
                .kept = counts,
                .row_set = set,
                .suffix_k = own_k,
                .suffix_v = own_v,
                .row_slot = slot,
                .row_suffix_length = length,
                .row_capture = {},
                .spans = {}},
               out, {});
      Finish(ops, out);
    });
    std::printf("attention of %d rows over %.4g of %d tokens: %.2f ms, %.2f us a kept token\n",
                kRows, kept, options.tokens, 1e3 * seconds,
                1e6 * seconds / (kept * options.tokens));
  }
}

// Drafts that are always right, the best case: a second wave of streams asks what the first has
// answered. Its time without drafts, in steps of at most 8 rows, and in steps of any size.
void MeasureDrafts(const LoadedModel& model, const Options& options) {
  const ModelConfig& config = model.config;
  Workspace workspace(*model.ops, config);
  const std::vector<int32_t> ids = RandomIds(options.tokens, config.vocab_size, 1);
  const PrefillResult prefill = RunPrefill(model, ids, LogitsWanted::kNone, workspace);
  const std::vector<KeepSet> sets = {RandomSet(config, options.tokens, 0, 0)};
  for (const int count : {1, 2, 4, 8, 16, 64}) {
    std::vector<std::vector<int32_t>> questions;
    for (int i = 0; i < count; ++i) {
      questions.push_back(RandomIds(2, config.vocab_size, static_cast<uint32_t>(i + 5)));
    }
    std::vector<Stream> streams;
    for (int i = 0; i < 2 * count; ++i) {
      streams.push_back({.set = 0,
                         .suffix = questions[static_cast<size_t>(i % count)],
                         .draft = i < count ? -1 : i - count});
    }
    StreamBatch batch;
    batch.sets = sets;
    batch.max_new_tokens = options.answer;
    batch.slices.max_suffix_bytes =
        count * (options.answer + 1) *
        KvBytesPerToken(config.layers, config.kv_heads, config.head_dim);
    const auto time = [&](int first_streams, size_t draft_rows) {
      batch.streams = std::span(streams).first(static_cast<size_t>(first_streams));
      batch.draft_rows = draft_rows;
      return BestSeconds(options.runs, [&] {
        if (!DecodeStreams(*model.decoder, prefill.cache, batch, workspace).ok()) std::abort();
      });
    };
    const double first = time(count, 1);
    std::printf("drafts, %d streams a wave, answers of %d: without %.3f s, up to 8 rows %.3f s",
                count, options.answer, time(2 * count, 1) - first, time(2 * count, 8) - first);
    std::printf(", any number %.3f s\n", time(2 * count, 2048) - first);
  }
}

// The layer's products by themselves, for a few numbers of rows.
void MeasureProducts(const LoadedModel& model, const Options& options) {
  const ModelConfig& config = model.config;
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t q_width = int64_t{config.q_heads} * config.head_dim;
  const int64_t qkv = q_width + int64_t{2} * config.kv_heads * config.head_dim;
  const std::pair<int64_t, int64_t> shapes[] = {
      {hidden, qkv}, {q_width, hidden}, {hidden, 2 * inner}, {inner, hidden}};
  Noise noise;
  Ops& ops = *model.ops;
  for (const auto& [in, out] : shapes) {
    const auto linear = ops.Pack(noise.Matrix(out, in), Tensor(), model.compute);
    std::printf("product [rows, %ld] x [%ld, %ld], GFLOP/s:", in, in, out);
    for (const int64_t rows : {1, 8, 16, 64, 190, 512, 1024}) {
      const Tensor x = Filled(ops, {rows, in}, 0.5f);
      const Tensor y = ops.Allocate(DType::kFloat32, {rows, out});
      const double seconds = BestSeconds(options.runs * 3, [&] {
        ops.Linear(*linear, x, y);
        Finish(ops, y);
      });
      std::printf("  %ld: %.0f", rows, 2e-9 * static_cast<double>(rows * in * out) / seconds);
    }
    std::printf("\n");
  }
}

void MeasureDecode(const LoadedModel& model, const Options& options, const Machine& machine) {
  const ModelConfig& config = model.config;
  Workspace workspace(*model.ops, config);
  const std::vector<int32_t> ids = RandomIds(options.tokens, config.vocab_size, 1);
  const PrefillResult prefill = RunPrefill(model, ids, LogitsWanted::kNone, workspace);
  const std::vector<KeepSet> sets = {RandomSet(config, options.tokens, 0, 0)};
  const std::vector<int32_t> question = {1};
  const std::vector<Stream> streams = {{.set = 0, .suffix = question}};
  const int answer = 32;
  const double seconds = BestSeconds(
      options.runs, [&] { RunStreams(model, prefill.cache, sets, streams, answer, workspace); });
  const double weight_bytes = model.compute == DType::kBFloat16 ? 2 : 4;
  const double bytes =
      weight_bytes * (LayerWeightCount(config) + 1.0 * config.hidden_size * config.vocab_size) +
      static_cast<double>(KvBytesPerToken(config.layers, config.kv_heads, config.head_dim)) *
          options.tokens;
  std::printf("decode of one stream over %d: %.2f tokens/s, %.1f GB/s", options.tokens,
              answer / seconds, bytes * answer / seconds / 1e9);
  PrintShare(bytes * answer / seconds,
             model.ops->uses_host_memory() ? machine.copy / 2 : machine.copy,
             model.ops->uses_host_memory() ? "bytes that a copy moves" : "bandwidth of x += y");
  if (model.ops->uses_host_memory()) {
    PrintShare(bytes * answer / seconds, machine.read, "read speed");
  }
  std::printf("\n");
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("What share of the machine the engine reaches on random weights of real shapes");
  app.option_defaults()->always_capture_default();
  app.add_option("--shape", options.shape, "of the model")
      ->check(CLI::IsMember(bench::ShapeNames()));
  app.add_option("--device", options.device, "cpu, cuda or cuda:N");
  app.add_option("--dtype", options.dtype, "of weights and products")
      ->check(CLI::IsMember({"bfloat16", "float32"}));
  app.add_option("--tokens", options.tokens, "of the context")->check(CLI::Range(1, 131000));
  app.add_option("--questions", options.questions, "of the grid")->check(CLI::Range(1, 1000));
  app.add_option("--question", options.question, "tokens of a question")
      ->check(CLI::Range(2, 1000));
  app.add_option("--answer", options.answer, "tokens of an answer")->check(CLI::Range(1, 1000));
  app.add_option("--runs", options.runs, "of which the fastest counts")->check(CLI::Range(1, 100));
  app.add_option("--part", options.parts, "what to measure; all unless given")
      ->check(CLI::IsMember({"products", "prefill", "grid", "attention", "decode", "drafts"}))
      ->take_all();
  app.add_option("--machine", options.machine, "skip: no shares of the machine are printed")
      ->check(CLI::IsMember({"measure", "skip"}));
  app.footer(
      "Example:\n  model_speed --shape llama-1b --part prefill --part decode\n"
      "  model_speed --device cuda --shape llama-8b --tokens 2000");
  CLI11_PARSE(app, argc, argv);

  const auto wanted = [&](const char* part) {
    return options.parts.empty() ||
           std::find(options.parts.begin(), options.parts.end(), part) != options.parts.end();
  };
  const DType compute = options.dtype == "bfloat16" ? DType::kBFloat16 : DType::kFloat32;
  absl::StatusOr<std::unique_ptr<Ops>> ops = MakeOps(options.device);
  if (!ops.ok()) {
    std::fprintf(stderr, "model_speed: %s\n", std::string(ops.status().message()).c_str());
    return 1;
  }
  Machine machine;
  if (options.machine == "measure") {
    machine = MeasureMachine(**ops, compute);
    std::printf("machine: best product %.0f GFLOP/s in %s, copy %.1f GB/s, read %.1f GB/s\n",
                machine.peak / 1e9, options.dtype.c_str(), machine.copy / 1e9, machine.read / 1e9);
  }
  const LoadedModel model = RandomModel(bench::ConfigOf(options.shape), compute, *std::move(ops));
  if (wanted("products")) MeasureProducts(model, options);
  if (wanted("prefill")) MeasurePrefill(model, options, machine);
  if (wanted("grid")) MeasureGrid(model, options, machine);
  if (wanted("attention")) MeasureAttention(model, options);
  if (wanted("drafts")) MeasureDrafts(model, options);
  if (wanted("decode")) MeasureDecode(model, options, machine);
  return 0;
}

}  // namespace
}  // namespace kvscope::inference

int main(int argc, char** argv) {
  kvscope::RestartWithShortWaits(argv);
  return kvscope::inference::Main(argc, argv);
}
