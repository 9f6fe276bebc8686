// Grid attention: every backend against `reference`, over keep sets, suffixes and captures.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/inference/ops/fixture.h"

namespace kvscope::inference {
namespace {

// A step: `sets` keep sets of various densities, rows that are spread over sets and slots.
struct Step {
  int64_t rows, q_heads, kv_heads, dim, tokens, sets, slots, suffix_capacity;
  Tensor q, k, v, keep, suffix_k, suffix_v;
  std::vector<int32_t> row_set, row_slot, row_length, row_capture;
  std::vector<uint64_t> spans;

  int64_t words() const { return (tokens + 63) / 64; }
};

Step MakeStep(Random& random, int64_t rows, int64_t q_heads, int64_t kv_heads, int64_t dim,
              int64_t tokens, int64_t sets) {
  Step step{rows, q_heads, kv_heads, dim, tokens, sets, 7,  9,  {}, {},
            {},   {},      {},       {},  {},     {},   {}, {}, {}};
  const int64_t capacity = tokens + 5;
  step.q = random.Normals({rows, q_heads, dim}, 2.0f);
  step.k = random.Normals({kv_heads, capacity, dim});
  step.v = random.Normals({kv_heads, capacity, dim});
  for (int64_t h = 0; h < kv_heads; ++h) {  // what lies past `tokens` must not matter
    for (int64_t i = tokens * dim; i < capacity * dim; ++i) {
      step.k.f32()[h * capacity * dim + i] = step.v.f32()[h * capacity * dim + i] = std::nanf("");
    }
  }
  step.suffix_k = random.Normals({step.slots, kv_heads, step.suffix_capacity, dim});
  step.suffix_v = random.Normals({step.slots, kv_heads, step.suffix_capacity, dim});
  step.keep = AllocateHost(DType::kUInt64, {sets, kv_heads, step.words()});
  std::fill_n(step.keep.u64(), step.keep.size(), uint64_t{0});
  for (int64_t row = 0; row < sets * kv_heads; ++row) {
    // Densities from everything to nothing; the heads of a set differ.
    const int64_t percent = row % 5 == 0 ? 100 : (row % 7 == 0 ? 0 : row * 37 % 100);
    for (int64_t t = 0; t < tokens; ++t) {
      if (random.Below(100) < percent)
        step.keep.u64()[row * step.words() + t / 64] |= 1ull << t % 64;
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    step.row_set.push_back(random.Below(static_cast<int>(sets)));
    step.row_slot.push_back(random.Below(static_cast<int>(step.slots)));
    step.row_length.push_back(1 + random.Below(static_cast<int>(step.suffix_capacity)));
    step.row_capture.push_back(random.Below(4) - 1);
  }
  for (int64_t i = 0; i < 3 * step.words(); ++i) {
    step.spans.push_back(static_cast<uint64_t>(random.Below(1 << 30)) * 0x9e3779b97f4a7c15u);
  }
  return step;
}

struct Seen {
  std::vector<float> out, top_weight, answer_mass;
  std::vector<int32_t> top_token;
};

Seen RunStep(Bench& bench, const Step& step, bool capture) {
  const auto watched = static_cast<size_t>(step.rows * step.q_heads);
  Seen seen{{},
            std::vector<float>(watched, -7),
            std::vector<float>(watched, -7),
            std::vector<int32_t>(watched, -7)};
  GridAttention args{bench.Put(step.q),
                     bench.Put(step.k),
                     bench.Put(step.v),
                     step.tokens,
                     bench.Put(step.keep),
                     step.row_set,
                     bench.Put(step.suffix_k),
                     bench.Put(step.suffix_v),
                     step.row_slot,
                     step.row_length,
                     {},
                     {}};
  GridCapture to;
  if (capture) {
    args.row_capture = step.row_capture;
    args.spans = step.spans;
    to = {seen.top_token, seen.top_weight, seen.answer_mass};
  }
  const Tensor out = bench.New({step.rows, step.q_heads, step.dim});
  bench.ops().Grid(args, out, to);
  seen.out = bench.Get(out);
  return seen;
}

class GridTest : public testing::TestWithParam<std::string> {
 protected:
  Bench reference_{"reference"};
  Bench other_{GetParam()};
  Random random_{11};
};

TEST_P(GridTest, MatchesReference) {
  struct Shape {
    int64_t rows, q_heads, kv_heads, dim, tokens, sets;
  };
  const Shape shapes[] = {{1, 4, 2, 32, 200, 1},  {90, 4, 2, 32, 200, 12}, {33, 8, 1, 64, 64, 5},
                          {40, 3, 3, 20, 65, 4},  {25, 4, 4, 16, 1, 3},    {50, 14, 2, 64, 700, 9},
                          {12, 2, 1, 128, 63, 3}, {9, 40, 1, 6, 130, 4}};
  for (const Shape& shape : shapes) {
    const Step step = MakeStep(random_, shape.rows, shape.q_heads, shape.kv_heads, shape.dim,
                               shape.tokens, shape.sets);
    const Seen expected = RunStep(reference_, step, true), found = RunStep(other_, step, true);
    const std::string what = std::to_string(shape.rows) + " rows, " + std::to_string(shape.tokens);
    ExpectNear(found.out, expected.out, 1e-5f, what);
    ExpectNear(found.top_weight, expected.top_weight, 2e-6f, what + " top weight");
    ExpectNear(found.answer_mass, expected.answer_mass, 5e-6f, what + " mass");
    EXPECT_EQ(found.top_token, expected.top_token) << what;
    EXPECT_EQ(RunStep(other_, step, false).out, found.out) << "watching changes nothing";
  }
}

// A row alone gives the bits that it gives amid others.
TEST_P(GridTest, RowsDoNotDependOnTheBatch) {
  const Step step = MakeStep(random_, 60, 4, 2, 32, 200, 12);
  const Seen all = RunStep(other_, step, true);
  for (const size_t r : {0u, 13u, 59u}) {
    Step one = step;
    one.rows = 1;
    one.q = step.q.Slice(static_cast<int64_t>(r), 1);
    one.row_set = {step.row_set[r]};
    one.row_slot = {step.row_slot[r]};
    one.row_length = {step.row_length[r]};
    one.row_capture = {step.row_capture[r]};
    const Seen alone = RunStep(other_, one, true);
    for (size_t i = 0; i < alone.out.size(); ++i) {
      ASSERT_EQ(alone.out[i], all.out[r * alone.out.size() + i]) << r;
    }
    for (size_t h = 0; h < 4; ++h) ASSERT_EQ(alone.top_weight[h], all.top_weight[r * 4 + h]) << r;
  }
}

// An evicted token has no weight at all, however large its score.
TEST_P(GridTest, EvictedTokensAreInvisible) {
  Step step = MakeStep(random_, 6, 2, 1, 16, 100, 2);
  for (int64_t t = 0; t < 100; ++t) {
    const bool evicted = t % 3 == 0;
    for (int64_t set = 0; set < 2; ++set) {
      uint64_t& word = step.keep.u64()[set * 2 + t / 64];
      word = evicted ? word & ~(1ull << t % 64) : word | 1ull << t % 64;
    }
  }
  const Seen before = RunStep(other_, step, true);
  for (int64_t t = 0; t < 100; t += 3) {
    for (int64_t i = 0; i < 16; ++i) step.k.f32()[t * 16 + i] = step.v.f32()[t * 16 + i] = 1e4f;
  }
  EXPECT_EQ(RunStep(other_, step, true).out, before.out);
}

TEST_P(GridTest, TopTokenTiesGoToTheEarlierAndNothingKeptIsMinusOne) {
  Step step = MakeStep(random_, 2, 1, 1, 8, 90, 2);
  std::fill_n(step.k.f32(), 95 * 8, 0.25f);  // all tokens score alike
  std::fill_n(step.keep.u64(), 4, uint64_t{0});
  step.keep.u64()[0] = 1ull << 40 | 1ull << 63;
  step.keep.u64()[1] = 1ull << 10;
  step.row_set = {0, 1};
  step.row_capture = {0, 1};
  step.spans.assign(6, 0);
  step.spans[1] = 1ull << 10;
  const Seen seen = RunStep(other_, step, true);
  EXPECT_EQ(seen.top_token, (std::vector<int32_t>{40, -1}));
  EXPECT_EQ(seen.top_weight[1], 0.0f);
  EXPECT_EQ(seen.answer_mass[1], 0.0f);
  EXPECT_NEAR(seen.answer_mass[0], seen.top_weight[0], 1e-7f);
}

// A row whose own suffix takes all the weight still names a kept token: the first.
TEST_P(GridTest, WeightsThatUnderflow) {
  for (const int64_t kept : {3, 80}) {  // gathered, and masked
    Step step = MakeStep(random_, 1, 1, 1, 8, 90, 1);
    std::fill_n(step.q.f32(), 8, 10.0f);
    std::fill_n(step.k.f32(), 90 * 8, -10.0f);
    std::fill_n(step.suffix_k.f32(), step.suffix_k.size(), 10.0f);
    std::fill_n(step.keep.u64(), 2, uint64_t{0});
    for (int64_t t = 5; t < 5 + kept; ++t) step.keep.u64()[t / 64] |= 1ull << t % 64;
    step.row_capture = {0};
    step.spans.assign(2, ~uint64_t{0});
    const Seen expected = RunStep(reference_, step, true), found = RunStep(other_, step, true);
    EXPECT_EQ(expected.top_token[0], 5);
    EXPECT_EQ(found.top_token, expected.top_token);
    EXPECT_EQ(found.top_weight[0], 0.0f);
    EXPECT_EQ(found.answer_mass[0], 0.0f);
    ExpectNear(found.out, expected.out, 1e-5f, "out");
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, GridTest, testing::ValuesIn(OtherDevices()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kvscope::inference
