// What can go wrong around a device: each allocation that finds too little, devices that are one of
// several, or none that the kernels run on.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inference/engine/engine.h"
#include "services/inference/ops/backends.h"
#include "services/inference/presses/press.h"
#include "tests/inference/cuda_emulation/emulation.h"

namespace kvscope::inference {
namespace {

using cuda_emulation::Count;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

// What is compared of an evaluation.
struct Answers {
  std::vector<std::vector<int32_t>> tokens;  // of each cell and question
  std::vector<std::vector<float>> mass;      // and of their watched rows
  std::vector<int64_t> kept;
  bool operator==(const Answers&) const = default;
};

absl::StatusOr<std::unique_ptr<Engine>> Load(const std::string& device = "cuda") {
  EngineOptions options;
  options.device = device;
  options.dtype = "float32";
  return Engine::Load(KVSCOPE_SOURCE_DIR "/tests/golden/models/qwen2-tiny", options);
}

absl::StatusOr<Answers> Evaluate(const Engine& engine) {
  Grid grid;
  grid.presses.push_back(*ParsePress("snapkv(window_size=4)", 7));
  grid.ratios = {0, 0.5};
  grid.max_new_tokens = 2;
  const Passage passage = {
      .context = "Ada lived in Delgate. Bo lived in Ormouth.",
      .questions = {{.question = "Where did Ada live?", .answer = "Delgate", .aliases = {}}}};
  Answers answers;
  const absl::Status status =
      EvaluatePassage(engine, grid, passage, {}, {}, [&](PassageRecord&& record) {
        for (const CellRecord& cell : record.cells) {
          answers.kept.push_back(cell.keep.kept_count());
          for (const StreamRecord& stream : cell.streams) {
            answers.tokens.push_back(stream.tokens);
            for (const AttentionRow& row : stream.rows) answers.mass.push_back(row.answer_mass);
          }
        }
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return answers;
}

class Faults : public testing::Test {
 protected:
  void TearDown() override {  // the device is every test's
    cuda_emulation::SetAllocationFailure(-1);
    cuda_emulation::SetMemory(kMemory);
    cuda_emulation::SetDevices(1);
    cuda_emulation::SetCapability(80);
    cuda_emulation::SetDriver(cuda_emulation::RuntimeVersion());
  }

  static constexpr size_t kMemory = size_t{1} << 30;
};

// What a device without faults gives.
Answers Wanted() {
  const auto engine = Load();
  EXPECT_TRUE(engine.ok()) << engine.status();
  const auto answers = Evaluate(**engine);
  EXPECT_TRUE(answers.ok()) << answers.status();
  EXPECT_FALSE(answers->mass.empty());
  return *answers;
}

TEST_F(Faults, AnyAllocationOfALoadMayFail) {
  const int before = Count().allocations;
  ASSERT_TRUE(Load().ok());
  const int allocations = Count().allocations - before;
  ASSERT_GT(allocations, 10);
  for (int i = 0; i < allocations; ++i) {
    cuda_emulation::SetAllocationFailure(i);
    const absl::Status status = Load().status();
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << i << ": " << status;
  }
}

TEST_F(Faults, AnyAllocationOfAnEvaluationMayFail) {
  const Answers wanted = Wanted();
  const auto fresh = Load();
  const int before = Count().allocations;
  ASSERT_TRUE(Evaluate(**fresh).ok());
  const int allocations = Count().allocations - before;
  int failed = 0;
  for (int i = 0; i < allocations; ++i) {
    const auto engine = Load();
    ASSERT_TRUE(engine.ok()) << engine.status();
    cuda_emulation::SetAllocationFailure(i);
    const auto first = Evaluate(**engine);
    if (first.ok()) {  // it went on in smaller slices
      EXPECT_EQ(*first, wanted) << i;
    } else {
      EXPECT_TRUE(absl::IsResourceExhausted(first.status())) << i << ": " << first.status();
      ++failed;
    }
    const auto second = Evaluate(**engine);
    ASSERT_TRUE(second.ok()) << i << ": " << second.status();
    EXPECT_EQ(*second, wanted) << i;
  }
  EXPECT_GT(allocations, 10);
  EXPECT_GT(failed, 0);
}

TEST_F(Faults, AFullDeviceIsNotOff) {
  cuda_emulation::SetMemory(1 << 20);
  const absl::Status status = MakeOps("cuda").status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), MatchesRegex(".* MiB are needed, .* of 1 MiB .*"));
}

TEST_F(Faults, EachDeviceOfSeveralComputes) {
  const Answers wanted = Wanted();
  cuda_emulation::SetDevices(2);
  const auto first = Load("cuda:0"), second = Load("cuda:1");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  for (const auto* engine : {&first, &second, &first}) EXPECT_EQ(*Evaluate(***engine), wanted);
  std::thread other([&] { EXPECT_EQ(*Evaluate(**second), wanted); });
  other.join();

  const absl::Status third = Load("cuda:2").status();
  EXPECT_TRUE(absl::IsUnavailable(third)) << third;
  EXPECT_THAT(std::string(third.message()),
              AllOf(HasSubstr("no device cuda:2"), HasSubstr("this machine has 2")));
  for (const char* name : {"cuda:", "cuda:-1", "cuda:1x", "cuda1", "cuda:99999999999"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(MakeOps(name).status())) << name;
  }
}

// What `doctor` and every error say of a device that is off.
TEST_F(Faults, ADeviceThatIsOffSaysWhatItLacks) {
  const auto why = [] { return std::string(MakeOps("cuda").status().message()); };
  cuda_emulation::SetDevices(0);
  EXPECT_THAT(why(), HasSubstr("no CUDA-capable device"));
  cuda_emulation::SetDevices(1);
  cuda_emulation::SetCapability(75);
  EXPECT_THAT(why(), HasSubstr("compute capability 7.5; 8.0 is needed"));
  cuda_emulation::SetCapability(80);
  cuda_emulation::SetDriver(11040);
  EXPECT_THAT(why(), MatchesRegex(".*the driver is for CUDA 11.4, [0-9]+.[0-9]+ is needed"));
  cuda_emulation::SetDriver(cuda_emulation::RuntimeVersion());
  EXPECT_EQ(why(), "");
}

}  // namespace
}  // namespace kvscope::inference
