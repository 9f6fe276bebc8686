// What capture costs of a sweep's evaluation: the same passages through the same grid without any,
// with consensus, with probes, and with everything (graphs of the first few passages too), as
// ratios of the time without.
//
//   kvscope dataset generate long_context --scale pocket --seed 1 --passages 40 --out F.jsonl
//   capture_cost --passages F.jsonl
//
// Every passage is evaluated in all ways, one right after the other and in changing order, so that
// a machine's slower and faster times meet all of them. On a machine that does other things too,
// the processor's time (of all threads) tells more than the clock's. It asserts nothing.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "services/inference/engine/engine.h"
#include "services/short_waits.h"

namespace kvscope::inference {
namespace {

using Json = nlohmann::json;

struct Options {
  std::string model = "models/pocket-llama", passages;
  int graphs = 5, rounds = 1;
  double epsilon = 0.02;
};

struct Time {
  double wall_s = 0, cpu_s = 0;
  Time& operator+=(const Time& other) {
    wall_s += other.wall_s;
    cpu_s += other.cpu_s;
    return *this;
  }
};

// One way to evaluate a passage.
struct Way {
  const char* name;
  bool consensus = false;
  ProbePool pool = ProbePool::kNone;
  bool graphs = false;
  std::vector<Time> rounds = {};
};

std::vector<Passage> ReadPassages(const std::string& file) {
  std::vector<Passage> passages;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const Json row = Json::parse(line);
    Passage& passage = passages.emplace_back();
    passage.context = row.at("context");
    for (const Json& question : row.at("questions")) {
      passage.questions.push_back(
          {.question = question.at("question"), .answer = question.at("answer"), .aliases = {}});
    }
  }
  return passages;
}

// The grid of sweeps/paper-small.yaml.
Grid PaperGrid(const Way& way) {
  Grid grid;
  grid.regime = Regime::kAware;
  for (const char* press :
       {"chunk(expected_attention, chunk_length=64)", "adakv(expected_attention)", "random"}) {
    grid.presses.push_back(*ParsePress(press, 1));
  }
  grid.ratios = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
  grid.max_new_tokens = 24;
  grid.capture_consensus = way.consensus;
  grid.probe_pool = way.pool;
  return grid;
}

Time Evaluate(const Engine& engine, const Way& way, const Passage& passage, bool graph,
              double epsilon, int64_t& edges) {
  const Grid grid = PaperGrid(way);
  PassageExtras extras;
  if (graph && way.graphs) extras.graph_epsilon = epsilon;
  const std::clock_t cpu_begin = std::clock();
  const auto begin = std::chrono::steady_clock::now();
  const absl::Status status =
      EvaluatePassage(engine, grid, passage, extras, {}, [&](PassageRecord&& record) {
        if (!record.graph.has_value()) return absl::OkStatus();
        for (const auto& layer : record.graph->context) edges += std::ssize(layer);
        for (const TokenGraph::Suffix& suffix : record.graph->questions) {
          for (const auto& layer : suffix.layers) edges += std::ssize(layer);
        }
        return absl::OkStatus();
      });
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  const double cpu = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  if (!status.ok()) std::exit(1);
  return {.wall_s = wall.count(), .cpu_s = cpu};
}

void Measure(const Engine& engine, const Options& options, const std::vector<Passage>& passages) {
  std::vector<Way> ways = {
      {.name = "nothing"},
      {.name = "consensus", .consensus = true},
      {.name = "consensus, probes (mean)", .consensus = true, .pool = ProbePool::kMean},
      {.name = "consensus, probes (context)", .consensus = true, .pool = ProbePool::kContext},
      {.name = "consensus, probes (mean), graphs",
       .consensus = true,
       .pool = ProbePool::kMean,
       .graphs = true}};
  int64_t warm = 0, edges = 0;
  for (const Way& way : ways) Evaluate(engine, way, passages[0], true, options.epsilon, warm);
  for (int round = 0; round < options.rounds; ++round) {
    for (Way& way : ways) way.rounds.emplace_back();
    for (size_t p = 0; p < passages.size(); ++p) {
      for (size_t i = 0; i < ways.size(); ++i) {
        Way& way = ways[(i + p + static_cast<size_t>(round)) % ways.size()];
        way.rounds.back() += Evaluate(engine, way, passages[p],
                                      static_cast<int>(p) < options.graphs, options.epsilon, edges);
      }
    }
  }
  std::printf("%zu passages, graphs of %d at epsilon %g (%ld edges)\n", passages.size(),
              options.graphs, options.epsilon, static_cast<long>(edges / options.rounds));
  for (const Way& way : ways) {
    std::printf("%-34s", way.name);
    Time sum, plain;
    for (size_t round = 0; round < way.rounds.size(); ++round) {
      const Time &time = way.rounds[round], &nothing = ways[0].rounds[round];
      std::printf("  %.2f s (%.3f), cpu %.2f s (%.3f)", time.wall_s, time.wall_s / nothing.wall_s,
                  time.cpu_s, time.cpu_s / nothing.cpu_s);
      sum += time;
      plain += nothing;
    }
    std::printf("  all rounds: %.3f, cpu %.3f\n", sum.wall_s / plain.wall_s,
                sum.cpu_s / plain.cpu_s);
  }
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("What capture costs of a sweep's evaluation");
  app.option_defaults()->always_capture_default();
  app.add_option("--passages", options.passages, "a data set file")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--model", options.model, "directory")->check(CLI::ExistingDirectory);
  app.add_option("--graphs", options.graphs, "passages whose graph is captured")
      ->check(CLI::Range(0, 1000000));
  app.add_option("--epsilon", options.epsilon, "of the graphs")->check(CLI::Range(0.0, 1.0));
  app.add_option("--rounds", options.rounds, "over all passages")->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  const std::vector<Passage> passages = ReadPassages(options.passages);
  const auto engine = Engine::Load(options.model, {});
  if (passages.empty() || !engine.ok()) {
    std::fprintf(stderr, "%s\n",
                 passages.empty() ? "the file has no passages"
                                  : std::string(engine.status().message()).c_str());
    return 1;
  }
  Measure(**engine, options, passages);
  return 0;
}

}  // namespace
}  // namespace kvscope::inference

int main(int argc, char** argv) {
  kvscope::RestartWithShortWaits(argv);
  return kvscope::inference::Main(argc, argv);
}
