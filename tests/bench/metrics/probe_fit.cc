// How long a probe takes and how much memory: stores made-up hidden states as a unit, then fits a
// probe on it as the metrics service does.
//   probe_fit --rows 100000 --width 4096 --tags 8
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "services/metrics/probe/feature_store.h"
#include "services/metrics/probe/probe_corpus.h"

namespace kvscope::metrics {
namespace {

struct Flags {
  int rows = 100000;
  int width = 4096;
  int tags = 8;
  int questions = 10;  // rows a passage
  int max_evaluations = 2000;
  double tolerance = 1e-6;
  int in_memory_mib = 256;
  std::string folder = std::filesystem::temp_directory_path() / "kvscope-probe-fit";
};

double Seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double PeakMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// Neighbouring features correlate at 0.9, as hidden states do; a tag shifts a few of them.
absl::Status Store(const Flags& flags, const std::string& key, const FeatureStore& store) {
  auto writer = store.Write(key, {.width = flags.width, .layers = {0}});
  if (!writer.ok()) return writer.status();
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> features(flags.width);
  for (int row = 0; row < flags.rows; ++row) {
    const int tag = static_cast<int>(random() % flags.tags);
    float before = normal(random);
    for (int i = 0; i < flags.width; ++i) {
      before = 0.9f * before + 0.436f * normal(random);
      features[i] = before + (i % 97 == tag ? 0.3f : 0.0f);
    }
    const std::string passage = "passage " + std::to_string(row / flags.questions);
    const std::string name = "tag " + std::to_string(tag);
    const absl::Status status =
        (*writer)->Add({{0, 0}, passage, row % flags.questions, name}, features);
    if (!status.ok()) return status;
  }
  return (*writer)->Commit();
}

absl::Status Run(const Flags& flags) {
  const std::string key(64, '0');
  const absl::StatusOr<FeatureStore> store = FeatureStore::Open(flags.folder);
  if (!store.ok()) return store.status();
  double start = Seconds();
  if (absl::Status status = Store(flags, key, *store); !status.ok()) return status;
  std::printf("stored   %d rows of width %d in %.1f s, peak %.0f MiB\n", flags.rows, flags.width,
              Seconds() - start, PeakMib());
  std::fflush(stdout);

  start = Seconds();
  const auto unit = store->Read(key);
  if (!unit.ok()) return unit.status();
  const auto corpus = ProbeCorpus::Make({*unit});
  if (!corpus.ok()) return corpus.status();
  ProbeOptions options;
  options.softmax.max_evaluations = flags.max_evaluations;
  options.softmax.gradient_tolerance = flags.tolerance;
  options.in_memory_bytes = int64_t{flags.in_memory_mib} << 20;
  const auto probe = CellProbe::Make(*corpus, {0, 0}, options);
  if (!probe.ok()) return probe.status();
  const auto fit = probe->Fit(0);
  if (!fit.ok()) return fit.status();
  std::printf("fitted   %lld rows, tried on %lld, in %.1f s: %d passes, peak %.0f MiB\n",
              static_cast<long long>(fit->train_count),
              static_cast<long long>(fit->validation_count), Seconds() - start, fit->evaluations,
              PeakMib());
  if (fit->macro_f1) std::printf("macro-F1 %.3f\n", fit->macro_f1->value);
  if (!fit->note.empty()) std::printf("note     %s\n", fit->note.c_str());
  return store->Remove(key);
}

}  // namespace
}  // namespace kvscope::metrics

int main(int argc, char** argv) {
  kvscope::metrics::Flags flags;
  CLI::App app("Times a probe.");
  app.option_defaults()->always_capture_default();
  app.add_option("--rows", flags.rows);
  app.add_option("--width", flags.width);
  app.add_option("--tags", flags.tags);
  app.add_option("--questions", flags.questions, "rows a passage");
  app.add_option("--max-evaluations", flags.max_evaluations, "passes over the rows, at most");
  app.add_option("--tolerance", flags.tolerance, "of the gradient");
  app.add_option("--in-memory-mib", flags.in_memory_mib, "larger features are read anew each pass");
  app.add_option("--folder", flags.folder, "where the features are written");
  CLI11_PARSE(app, argc, argv);
  if (const absl::Status status = kvscope::metrics::Run(flags); !status.ok()) {
    std::fprintf(stderr, "probe_fit: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
