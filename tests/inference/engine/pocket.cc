#include "tests/inference/engine/pocket.h"

#include <gtest/gtest.h>

#include <utility>

#include "services/inference/ops/backends.h"
#include "services/inference/presses/press.h"

namespace kvscope::inference {

const Engine& Pocket() {
  static const Engine* engine = [] {
    SetComputeThreads(1);  // tiny products: more threads only wait for each other
    EngineOptions options;
    options.device = "cpu";
    options.dtype = "float32";
    auto loaded = Engine::Load(KVSCOPE_SOURCE_DIR "/models/pocket-llama", options);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded->release();
  }();
  return *engine;
}

Passage ThreePeople() {
  Passage passage;
  passage.context =
      "Falwyn Belmont was born on 3 August 1993. They studied in Pelwood University. They had a "
      "job as a builder. Falwyn Belmont lived in Delgate. Darias Fenwick was born on 16 May 1972. "
      "They studied in Lorgate College. They had a job as a dentist. They lived in Vershire. "
      "Ralina Corski was born on 5 November 1955. They studied in the University of Fenmere. They "
      "worked as an engineer. They lived in Ormouth.";
  passage.questions = {
      {.question = "When was Falwyn Belmont born?", .answer = "3 August 1993", .aliases = {}},
      {.question = "Where did Darias Fenwick live?", .answer = "Vershire", .aliases = {"nowhere"}},
      {.question = "What was the job of Ralina Corski?", .answer = "engineer", .aliases = {}},
      {.question = "Who is the mayor?", .answer = "I dont know", .aliases = {}},
  };
  return passage;
}

Grid MakeGrid(const std::vector<std::string>& presses, std::vector<double> ratios) {
  Grid grid;
  for (const std::string& press : presses) grid.presses.push_back(*ParsePress(press, 7));
  grid.ratios = std::move(ratios);
  grid.max_new_tokens = 12;
  return grid;
}

std::vector<PassageRecord> Evaluate(const Grid& grid, const Passage& passage,
                                    const PassageExtras& extras, const Engine& engine) {
  std::vector<PassageRecord> records;
  const absl::Status status =
      EvaluatePassage(engine, grid, passage, extras, {}, [&](PassageRecord&& record) {
        records.push_back(std::move(record));
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return records;
}

}  // namespace kvscope::inference
