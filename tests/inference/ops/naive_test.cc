// The judge is judged: `reference` against the formulas in double precision.
#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/inference/ops/fixture.h"

namespace kvscope::inference {
namespace {

class NaiveTest : public testing::Test {
 protected:
  Bench bench_{"reference"};
  Random random_{3};
};

TEST_F(NaiveTest, Linear) {
  const Tensor x = random_.Normals({3, 10}), w = random_.Normals({4, 10}), b = random_.Normals({4});
  const auto packed = bench_.ops().Pack(w, b, DType::kFloat32);
  const Tensor y = bench_.New({3, 4});
  bench_.ops().Linear(*packed, x, y);
  for (int64_t r = 0; r < 3; ++r) {
    for (int64_t o = 0; o < 4; ++o) {
      double expected = b.f32()[o];
      for (int64_t i = 0; i < 10; ++i)
        expected += double{x.f32()[r * 10 + i]} * w.f32()[o * 10 + i];
      EXPECT_NEAR(y.f32()[r * 4 + o], expected, 1e-6);
    }
  }
}

TEST_F(NaiveTest, RmsNorm) {
  const Tensor x = random_.Normals({2, 5}), w = random_.Normals({5}), y = bench_.New({2, 5});
  bench_.ops().RmsNorm(x, w, 1e-3f, y);
  for (int64_t r = 0; r < 2; ++r) {
    double squares = 0;
    for (int64_t i = 0; i < 5; ++i) squares += std::pow(double{x.f32()[r * 5 + i]}, 2);
    for (int64_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(y.f32()[r * 5 + i],
                  x.f32()[r * 5 + i] / std::sqrt(squares / 5 + 1e-3) * w.f32()[i], 1e-6);
    }
  }
}

// The half-split rotation of pair (i, i + dim/2) is a multiplication of complex numbers.
TEST_F(NaiveTest, Rope) {
  const Tensor x = random_.Normals({1, 1, 4});
  const std::vector<float> before(x.f32(), x.f32() + 4);
  bench_.ops().Rope(x, std::vector<int32_t>{9}, std::vector<float>{1.0f, 0.01f}, 1.0f);
  for (size_t i = 0; i < 2; ++i) {
    const double angle = 9 * (i == 0 ? 1.0 : 0.01);
    EXPECT_NEAR(x.f32()[i], before[i] * std::cos(angle) - before[i + 2] * std::sin(angle), 1e-6);
    EXPECT_NEAR(x.f32()[i + 2], before[i + 2] * std::cos(angle) + before[i] * std::sin(angle),
                1e-6);
  }
}

TEST_F(NaiveTest, SwiGlu) {
  const Tensor x = random_.Normals({1, 6}, 2.0f), y = bench_.New({1, 3});
  bench_.ops().SwiGlu(x, y);
  for (int64_t i = 0; i < 3; ++i) {
    const double gate = x.f32()[i];
    EXPECT_NEAR(y.f32()[i], gate / (1 + std::exp(-gate)) * x.f32()[3 + i], 1e-6);
  }
}

// Softmax attention of one query over the listed keys, in double.
std::vector<double> Attend(const float* q, const std::vector<const float*>& keys,
                           const std::vector<const float*>& values, int64_t dim) {
  std::vector<double> scores, out(static_cast<size_t>(dim), 0.0);
  double sum = 0;
  for (const float* key : keys) {
    double dot = 0;
    for (int64_t i = 0; i < dim; ++i) dot += double{q[i]} * key[i];
    scores.push_back(std::exp(dot / std::sqrt(static_cast<double>(dim))));
    sum += scores.back();
  }
  for (size_t t = 0; t < keys.size(); ++t) {
    for (int64_t i = 0; i < dim; ++i) out[static_cast<size_t>(i)] += scores[t] / sum * values[t][i];
  }
  return out;
}

TEST_F(NaiveTest, CausalAttentionWithGroupedQueries) {
  const int64_t rows = 6, q_heads = 4, kv_heads = 2, dim = 8;
  const Tensor q = random_.Normals({rows, q_heads, dim}), out = bench_.New({rows, q_heads, dim});
  const Tensor k = random_.Normals({kv_heads, rows, dim}),
               v = random_.Normals({kv_heads, rows, dim});
  bench_.ops().CausalAttention(q, k, v, 0, out, Tensor());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t h = 0; h < q_heads; ++h) {
      std::vector<const float*> keys, values;
      for (int64_t t = 0; t <= r; ++t) {
        keys.push_back(k.f32() + (h / 2 * rows + t) * dim);
        values.push_back(v.f32() + (h / 2 * rows + t) * dim);
      }
      const auto expected = Attend(q.f32() + (r * q_heads + h) * dim, keys, values, dim);
      for (int64_t i = 0; i < dim; ++i) {
        EXPECT_NEAR(out.f32()[(r * q_heads + h) * dim + i], expected[static_cast<size_t>(i)], 1e-6);
      }
    }
  }
}

// Masked softmax over a keep set equals attention over the gathered pairs and the suffix.
TEST_F(NaiveTest, GridAttentionGathers) {
  const int64_t tokens = 70, dim = 4, capacity = 3;
  const Tensor q = random_.Normals({2, 1, dim}), out = bench_.New({2, 1, dim});
  const Tensor k = random_.Normals({1, tokens, dim}), v = random_.Normals({1, tokens, dim});
  const Tensor own_k = random_.Normals({2, 1, capacity, dim});
  const Tensor own_v = random_.Normals({2, 1, capacity, dim});
  const Tensor keep = AllocateHost(DType::kUInt64, {1, 1, 2});
  keep.u64()[0] = 1ull << 3 | 1ull << 50;
  keep.u64()[1] = 1ull << 5;
  const std::vector<int32_t> set = {0, 0}, slot = {1, 0}, length = {2, 3}, capture = {-1, 0};
  const std::vector<uint64_t> span = {1ull << 50, 0};
  std::vector<int32_t> top(2, -9);
  const std::vector<int32_t> kept = {3};
  std::vector<float> weight(2, -9), mass(2, -9);
  bench_.ops().Grid({q, k, v, tokens, keep, kept, set, own_k, own_v, slot, length, capture, span},
                    out, {top, weight, mass});
  for (int64_t r = 0; r < 2; ++r) {
    std::vector<const float*> keys, values;
    for (const int64_t t : {3, 50, 69}) {
      keys.push_back(k.f32() + t * dim);
      values.push_back(v.f32() + t * dim);
    }
    for (int64_t s = 0; s < length[static_cast<size_t>(r)]; ++s) {
      const int64_t at = (slot[static_cast<size_t>(r)] * capacity + s) * dim;
      keys.push_back(own_k.f32() + at);
      values.push_back(own_v.f32() + at);
    }
    const auto expected = Attend(q.f32() + r * dim, keys, values, dim);
    for (int64_t i = 0; i < dim; ++i) {
      EXPECT_NEAR(out.f32()[r * dim + i], expected[static_cast<size_t>(i)], 1e-6);
    }
  }
  EXPECT_EQ(top[0], -9) << "an unwatched row is left alone";
  EXPECT_TRUE(top[1] == 3 || top[1] == 50 || top[1] == 69);
  EXPECT_GE(weight[1], mass[1]);
}

}  // namespace
}  // namespace kvscope::inference
