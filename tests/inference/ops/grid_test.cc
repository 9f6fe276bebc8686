// Grid attention: every backend against `reference`, over keep sets, suffixes and captures.
#include <algorithm>
#include <bit>
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
  // How many tokens each list of `keep` has.
  std::vector<int32_t> Kept() const {
    std::vector<int32_t> kept(static_cast<size_t>(sets * kv_heads));
    for (size_t i = 0; i < kept.size(); ++i) {
      const uint64_t* list = keep.u64() + static_cast<int64_t>(i) * words();
      for (int64_t w = 0; w < words(); ++w) kept[i] += std::popcount(list[w]);
    }
    return kept;
  }
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
  const std::vector<int32_t> kept = step.Kept();
  GridAttention args{bench.Put(step.q),
                     bench.Put(step.k),
                     bench.Put(step.v),
                     step.tokens,
                     bench.Put(step.keep),
                     kept,
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

// Of float32, whose sums backends make in their own order.
constexpr float kOutTolerance = 1e-5f, kTopWeightTolerance = 2e-6f, kMassTolerance = 5e-6f;

void ExpectEqual(const Seen& found, const Seen& expected, const std::string& what) {
  ExpectNear(found.out, expected.out, kOutTolerance, what);
  ExpectNear(found.top_weight, expected.top_weight, kTopWeightTolerance, what + " top weight");
  ExpectNear(found.answer_mass, expected.answer_mass, kMassTolerance, what + " mass");
  EXPECT_EQ(found.top_token, expected.top_token) << what;
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
                          {12, 2, 1, 128, 63, 3}, {9, 40, 1, 6, 130, 4},   {64, 4, 2, 32, 1024, 2},
                          {90, 3, 3, 16, 1100, 6}};
  for (const Shape& shape : shapes) {
    const Step step = MakeStep(random_, shape.rows, shape.q_heads, shape.kv_heads, shape.dim,
                               shape.tokens, shape.sets);
    const Seen expected = RunStep(reference_, step, true), found = RunStep(other_, step, true);
    const std::string what = std::to_string(shape.rows) + " rows, " + std::to_string(shape.tokens);
    ExpectEqual(found, expected, what);
    EXPECT_EQ(RunStep(other_, step, false).out, found.out) << "watching changes nothing";
  }
}

// A row alone gives the bits that it gives amid others, but where a GPU multiplies many rows at
// once: there it gives the same but for rounding.
TEST_P(GridTest, RowsDoNotDependOnTheBatch) {
  const Step step = MakeStep(random_, 60, 4, 2, 32, 200, 12);
  const std::vector<int32_t> kept = step.Kept();
  const Seen all = RunStep(other_, step, true);
  for (size_t r = 0; r < 60; ++r) {
    Step one = step;
    one.rows = 1;
    one.q = step.q.Slice(static_cast<int64_t>(r), 1);
    one.row_set = {step.row_set[r]};
    one.row_slot = {step.row_slot[r]};
    one.row_length = {step.row_length[r]};
    one.row_capture = {step.row_capture[r]};
    const Seen alone = RunStep(other_, one, true);
    for (size_t head = 0; head < 4; ++head) {
      const auto list = static_cast<size_t>(step.row_set[r]) * 2 + head / 2;
      const bool multiplied = GetParam() == "cuda" && 2 * kept[list] > step.tokens;
      for (size_t i = head * 32; i < (head + 1) * 32; ++i) {
        ASSERT_NEAR(alone.out[i], all.out[r * 4 * 32 + i], multiplied ? kOutTolerance : 0) << r;
      }
      ASSERT_NEAR(alone.top_weight[head], all.top_weight[r * 4 + head],
                  multiplied ? kTopWeightTolerance : 0)
          << r;
      ASSERT_EQ(alone.top_token[head], all.top_token[r * 4 + head]) << r;
    }
  }
}

// Of so long a context a GPU has room for the scores of a few queries at a time.
TEST_P(GridTest, LongContext) {
  Step step = MakeStep(random_, 4, 32, 2, 4, 70000, 1);
  std::fill_n(step.keep.u64(), step.keep.size(), ~uint64_t{0});
  for (int64_t list = 1; list <= 2; ++list) {  // bits past the last token
    step.keep.u64()[list * step.words() - 1] = (uint64_t{1} << 70000 % 64) - 1;
  }
  for (int64_t t = 0; t < 70000; t += 3) step.keep.u64()[t / 64] &= ~(uint64_t{1} << t % 64);
  const Seen expected = RunStep(reference_, step, true), found = RunStep(other_, step, true);
  ExpectEqual(found, expected, "a long context");
}

// An evicted token has no weight at all, however large its score.
TEST_P(GridTest, EvictedTokensAreInvisible) {
  for (const int64_t rows : {6, 60}) {  // on a GPU many rows are multiplied at once
    Step step = MakeStep(random_, rows, 2, 1, 16, 100, 2);
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
    EXPECT_EQ(RunStep(other_, step, true).out, before.out) << rows;
  }
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

TEST_P(GridTest, TopTokenTiesOfManyRows) {
  Step step = MakeStep(random_, 70, 1, 1, 8, 700, 1);
  std::fill_n(step.k.f32(), 705 * 8, 0.25f);
  std::fill_n(step.keep.u64(), step.keep.size(), ~uint64_t{0});
  step.keep.u64()[0] &= ~uint64_t{0} << 37;
  step.keep.u64()[10] = (uint64_t{1} << 700 % 64) - 1;
  const Seen seen = RunStep(other_, step, true);
  for (size_t r = 0; r < 70; ++r) {
    EXPECT_EQ(seen.top_token[r], step.row_capture[r] < 0 ? -7 : 37) << r;
  }
}

// A row whose own suffix takes all the weight still names a kept token: the first.
TEST_P(GridTest, WeightsThatUnderflow) {
  for (const int64_t rows : {1, 70}) {
    for (const int64_t kept : {3, 80}) {  // gathered, and masked
      Step step = MakeStep(random_, rows, 1, 1, 8, 90, 1);
      std::fill_n(step.q.f32(), rows * 8, 10.0f);
      std::fill_n(step.k.f32(), 90 * 8, -10.0f);
      std::fill_n(step.suffix_k.f32(), step.suffix_k.size(), 10.0f);
      std::fill_n(step.keep.u64(), 2, uint64_t{0});
      for (int64_t t = 5; t < 5 + kept; ++t) step.keep.u64()[t / 64] |= 1ull << t % 64;
      step.row_capture.assign(static_cast<size_t>(rows), 0);
      step.spans.assign(2, ~uint64_t{0});
      const Seen expected = RunStep(reference_, step, true), found = RunStep(other_, step, true);
      EXPECT_EQ(expected.top_token[0], 5);
      EXPECT_EQ(found.top_token, expected.top_token);
      EXPECT_EQ(found.top_weight[0], 0.0f);
      EXPECT_EQ(found.answer_mass[0], 0.0f);
      ExpectNear(found.out, expected.out, 1e-5f, "out");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, GridTest, testing::ValuesIn(OtherDevices()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace kvscope::inference
