// A sweep as the user writes it (YAML), parsed strictly into plain structs.
//
//   name: pocket-cliff
//   model: models/pocket-llama               # or several: [models/pocket-llama,
//   models/pocket-qwen2] datasets:
//     - {name: knowledge, scale: pocket, passages: 40, seed: 1}    # generated
//     - {file: my-questions.jsonl}                                 # or the user's own
//   presses: ["adakv(expected_attention)", "random"]
//   ratios: [0, 0.5, 0.9]
//
// `name`, `model`, `datasets`, `presses` and `ratios` are required; all else has the default below.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kvscope::orchestrator {

// The longest sweep file that is read.
inline constexpr size_t kMaxSweepBytes = 1 << 20;

enum class Scale { kPaper, kPocket };  // the paper's own sizes, or those of the pocket models
enum class Regime {
  kAgnostic,   // the context is compressed before any question is seen
  kAware,      // all of a passage's questions stand before it (the paper's)
  kAwareEach,  // only the question that is asked stands before it (kvpress's)
};

// "paper", "pocket"; "agnostic", "aware", "aware_each".
std::string_view ScaleName(Scale scale);
std::string_view RegimeName(Regime regime);
std::optional<Scale> ScaleOf(std::string_view name);
std::optional<Regime> RegimeOf(std::string_view name);

// Where passages come from: a generator, or a JSONL file.
struct DatasetEntry {
  std::string name;              // of the generator; empty for a file
  Scale scale = Scale::kPocket;  // generated only
  int64_t passages = 0;          // generated: how many, >= 1; file: at most so many, 0 = all
  uint64_t seed = 0;             // generated only; where none is given, the sweep's
  std::string file;              // as written, relative to the sweep file's folder; or empty

  bool is_file() const { return !file.empty(); }
  bool operator==(const DatasetEntry&) const = default;
};

// The pieces of the prompt that the sweep sets; the others are the model's or the paper's.
struct PromptPieces {
  std::optional<std::string> instruction;
  std::optional<std::string> aware_line;
  std::optional<std::string> question_prefix;
  std::optional<std::string> question_suffix;
  std::optional<std::string> answer_prefix;

  bool operator==(const PromptPieces&) const = default;
};

// What is recorded beside the answers.
struct CaptureOptions {
  bool consensus = true;        // top-attended positions of every head
  int64_t graph_passages = 0;   // passages of each data set whose token-attention graph is built
  double graph_epsilon = 0.02;  // an edge needs more attention than this; in [0, 1)
  // Which hidden states are kept for probes: last (of the prompt), mean (over the answer steps),
  // context (mean over its tokens); empty: none.
  std::string probe_pool;
  // Of which layers, ascending: 0 the embeddings, i the output of layer i; empty: of all.
  std::vector<int64_t> probe_layers;
  int64_t heatmap_passages = 0;  // passages of each data set whose survival is kept head by token

  bool operator==(const CaptureOptions&) const = default;
};

// The most phrases that a sweep adds to those that abstain, and the longest of them.
inline constexpr size_t kMaxAbstentions = 100;
inline constexpr size_t kMaxAbstentionBytes = 200;

// How answers are judged: F1 >= correct_f1 is correct, F1 > partial_f1 partial, less is neither.
struct ScoreOptions {
  std::string tokenizer = "model";  // the model's own, or a folder with a tokenizer.json
  double correct_f1 = 0.5;          // in (0, 1]
  double partial_f1 = 0;            // in [0, correct_f1]
  // Phrases that decline to answer, beside "I dont know" and its like (the metrics' Abstentions);
  // each has a letter or a digit.
  std::vector<std::string> abstentions = {};

  bool operator==(const ScoreOptions&) const = default;
};

struct Sweep {
  std::string name;                    // letters, digits, '.', '_', '-'; at most 100
  std::vector<std::string> models;     // folders in Hugging Face layout, each for the whole grid
  std::string device = "auto";         // auto, cpu, cuda, or as NamesCudaDevice
  std::string dtype = "auto";          // auto, float32, bfloat16
  std::vector<DatasetEntry> datasets;  // in the order written
  std::vector<Regime> regimes = {Regime::kAgnostic};
  std::vector<std::string> presses;  // expressions; their grammar is the engine's to judge
  std::vector<double> ratios;        // the fraction removed, in [0, 1); ascending
  int64_t max_new_tokens = 32;       // in [1, 4096]
  PromptPieces prompt;
  CaptureOptions capture;
  ScoreOptions score;
  uint64_t seed = 0;  // of the random press, and of data sets without one

  bool operator==(const Sweep&) const = default;
};

// Whether this is one CUDA device of a machine's: "cuda:N", N from 0 to 99.
bool NamesCudaDevice(std::string_view device);

// Parses a sweep; `origin` is the file's name for messages.  Never crashes, whatever the bytes.
// Errors: InvalidArgument with one sentence `ORIGIN:LINE: FIELD: what was found and what is
// allowed` for bad YAML, unknown or repeated keys (with the nearest known one), wrong types,
// values out of range, empty lists and duplicates.  Whether presses and generators exist is
// judged by who runs them.
absl::StatusOr<Sweep> ParseSweep(std::string_view yaml, const std::string& origin);

// Reads and parses a file.  Errors: those of ParseSweep, and NotFound if it cannot be read.
absl::StatusOr<Sweep> LoadSweep(const std::string& path);

// The sweep as canonical YAML: every field in a fixed order, so that equal sweeps give equal bytes
// and ParseSweep(CanonicalSweep(s)) == s for every parsed s.  To be hashed.
std::string CanonicalSweep(const Sweep& sweep);

}  // namespace kvscope::orchestrator
