// A device that is short of memory, or fails: what the engine says, and that it works on.
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inference/engine/engine.h"
#include "services/inference/engine/memory_plan.h"
#include "services/inference/models/load.h"
#include "tests/inference/cuda_emulation/emulation.h"

namespace kvscope::inference {
namespace {

using cuda_emulation::SetFailure;
using cuda_emulation::SetMemory;
using testing::HasSubstr;

constexpr size_t kPlenty = size_t{1} << 30;

class DeviceMemory : public testing::Test {
 protected:
  ~DeviceMemory() override {
    SetFailure(-1);
    SetMemory(kPlenty);
  }

  static absl::StatusOr<std::unique_ptr<Engine>> Load() {
    EngineOptions options;
    options.device = "cuda";
    options.dtype = "float32";
    return Engine::Load(std::string(KVSCOPE_SOURCE_DIR) + "/models/pocket-llama", options);
  }

  static Grid MakeGrid() {
    Grid grid;
    for (const char* press : {"snapkv(window_size=8)", "random"}) {
      grid.presses.push_back(*ParsePress(press, 0));
    }
    grid.ratios = {0, 0.5, 0.8};
    grid.max_new_tokens = 6;
    return grid;
  }

  // The tokens of all answers.
  struct Outcome {
    absl::Status status;
    std::vector<std::vector<int32_t>> answers;
    int halvings = 0;
    int64_t streams = 0;
  };
  static Outcome Evaluate(const Engine& engine, std::function<bool()> at_each_step = nullptr) {
    Passage passage;
    passage.context = "Falwyn Belmont was born on 3 August 1993. They lived in Delgate.";
    passage.questions = {{"Where did Falwyn Belmont live?", "Delgate", {}},
                         {"When was Falwyn Belmont born?", "3 August 1993", {}}};
    Outcome outcome;
    const EvaluateHooks hooks = {
        .cancelled = std::move(at_each_step),
        .streams_done = [&](int64_t streams) { outcome.streams += streams; },
        .slices_halved = [&](const std::string&) { ++outcome.halvings; },
    };
    outcome.status =
        EvaluatePassage(engine, MakeGrid(), passage, {}, hooks, [&](PassageRecord&& record) {
          for (const CellRecord& cell : record.cells) {
            for (const StreamRecord& stream : cell.streams) {
              outcome.answers.push_back(stream.tokens);
            }
          }
          return absl::OkStatus();
        });
    return outcome;
  }

  // By whomever.
  static size_t Taken(const Engine& engine) {
    return static_cast<size_t>(engine.memory()->total - engine.memory()->free);
  }
  static size_t Used(const Engine& engine) { return static_cast<size_t>(engine.memory()->used); }
};

TEST_F(DeviceMemory, APlanIsEnoughForEverything) {
  SetMemory(kPlenty);
  const auto engine = *Load();
  const size_t before = Used(*engine);
  const Outcome outcome = Evaluate(*engine);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.halvings, 0);
  const MemoryPlan plan = PlanMemory(engine->state(), MakeGrid(),
                                     {.context_tokens = 60, .suffix_tokens = 24, .questions = 2});
  EXPECT_GE(before, static_cast<size_t>(plan.weight_bytes()));
  // What was taken at the start: nothing that came after it needed more. Half of it is still used.
  const size_t most = cuda_emulation::Count().most_memory;
  EXPECT_LE(most, static_cast<size_t>(plan.bytes()));
  EXPECT_GE(Used(*engine), most / 2);
}

TEST_F(DeviceMemory, AModelThatDoesNotFitIsRefusedWithNumbers) {
  SetMemory(44 << 20);  // cuBLAS takes 40 MiB of it
  const auto engine = Load();
  ASSERT_EQ(engine.status().code(), absl::StatusCode::kResourceExhausted) << engine.status();
  EXPECT_THAT(std::string(engine.status().message()),
              testing::MatchesRegex("cuda: out of memory: . MiB are needed, . MiB of 44 MiB are "
                                    "free"));
  SetMemory(kPlenty);
  EXPECT_TRUE(Load().ok());
}

TEST_F(DeviceMemory, AModelWhoseHeadsAreTooLargeIsRefused) {
  const std::filesystem::path from =
      std::filesystem::path(KVSCOPE_SOURCE_DIR) / "tests/golden/models/qwen3-tiny/config.json";
  std::string config((std::istreambuf_iterator<char>(std::ifstream(from).rdbuf())), {});
  const std::string head_dim = "\"head_dim\": 32";
  config.replace(config.find(head_dim), head_dim.size(), "\"head_dim\": 288");
  const std::filesystem::path directory =
      std::filesystem::path(testing::TempDir()) / "heads_too_large";
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "config.json") << config;
  const auto model = LoadModel(directory, "cuda", "float32");
  ASSERT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument) << model.status();
  EXPECT_THAT(std::string(model.status().message()),
              HasSubstr("config.json: head_dim is 288; the device cuda computes attention of heads "
                        "up to 256"));
}

TEST_F(DeviceMemory, EvaluationsGoOnInSmallerSlicesWithTheSameAnswers) {
  const auto engine = *Load();
  const Outcome expected = Evaluate(*engine);
  ASSERT_TRUE(expected.status.ok()) << expected.status;
  int sliced = 0, refused = 0;
  for (const size_t spare : {3500, 4500, 5500, 7500}) {
    const auto fresh = *Load();
    SetMemory(Taken(*fresh) + (spare << 10));
    const Outcome outcome = Evaluate(*fresh);
    if (outcome.status.ok()) {
      EXPECT_EQ(outcome.answers, expected.answers) << spare << " KiB";
      EXPECT_EQ(outcome.streams, expected.streams);
      sliced += outcome.halvings > 0;
    } else {
      EXPECT_EQ(outcome.status.code(), absl::StatusCode::kResourceExhausted) << outcome.status;
      EXPECT_THAT(std::string(outcome.status.message()), HasSubstr("are needed, but"));
      ++refused;
    }
    SetMemory(kPlenty);
    EXPECT_EQ(Evaluate(*fresh).answers, expected.answers) << "after " << spare << " KiB";
  }
  EXPECT_GT(sliced, 0);
  EXPECT_GT(refused, 0);
}

// Another process takes the memory while an evaluation runs: from its k-th step on nothing is left.
TEST_F(DeviceMemory, MemoryThatGoesMidRunIsAnErrorOrSlices) {
  const auto engine = *Load();
  const Outcome expected = Evaluate(*engine);
  int refused = 0;
  for (const int k : {1, 2, 7, 8, 9, 12}) {
    const auto fresh = *Load();
    int steps = 0;
    const Outcome outcome = Evaluate(*fresh, [&] {
      if (++steps == k) SetMemory(Taken(*fresh));
      return false;
    });
    if (outcome.status.ok()) {
      EXPECT_EQ(outcome.answers, expected.answers) << k;
    } else {
      EXPECT_EQ(outcome.status.code(), absl::StatusCode::kResourceExhausted) << outcome.status;
      ++refused;
    }
    SetMemory(kPlenty);
    const Outcome again = Evaluate(*fresh);
    EXPECT_EQ(again.answers, expected.answers) << again.status;
  }
  EXPECT_GT(refused, 0);
}

TEST_F(DeviceMemory, ADeviceThatFailsIsToldAsSuch) {
  for (const int kernels : {0, 40, 300}) {
    const auto engine = *Load();
    SetFailure(kernels);
    for (int i = 0; i < 2; ++i) {  // and again: it stays so
      const Outcome outcome = Evaluate(*engine);
      EXPECT_EQ(outcome.status.code(), absl::StatusCode::kAborted) << outcome.status;
      EXPECT_THAT(std::string(outcome.status.message()), HasSubstr("illegal memory access"));
    }
    SetFailure(-1);  // a new process
  }
}

TEST_F(DeviceMemory, AnEngineServesOneThreadAfterTheOther) {
  const auto engine = *Load();
  const Outcome expected = Evaluate(*engine);
  Outcome outcome;
  std::thread([&] { outcome = Evaluate(*engine); }).join();
  EXPECT_EQ(outcome.answers, expected.answers) << outcome.status;
}

}  // namespace
}  // namespace kvscope::inference
