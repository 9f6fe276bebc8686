// snapkv and expected_attention against their formulas, written as plain loops in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>

#include "tests/inference/scorers/layer_fixture.h"

namespace kvscope::inference {
namespace {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;

double Dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

Matrix ToDouble(const MatrixView& rows) {
  Matrix result;
  for (int i = 0; i < rows.rows(); ++i) result.emplace_back(rows.row(i).begin(), rows.row(i).end());
  return result;
}

// R at a position: row i of the matrix that RoPE multiplies a column vector by.
Matrix RotationMatrix(const RopeParameters& rope, int position) {
  const size_t half = rope.inv_freq.size();
  Matrix r(2 * half, Vector(2 * half));
  for (size_t i = 0; i < half; ++i) {
    const float angle = static_cast<float>(position) * rope.inv_freq[i];
    r[i][i] = r[i + half][i + half] = std::cos(angle) * rope.scale;
    r[i + half][i] = std::sin(angle) * rope.scale;
    r[i][i + half] = -std::sin(angle) * rope.scale;
  }
  return r;
}

Vector Times(const Matrix& m, const Vector& x) {
  Vector y;
  for (const Vector& row : m) y.push_back(Dot(row, x));
  return y;
}

Vector Softmax(Vector logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& logit : logits) sum += logit = std::exp(logit - largest);
  for (double& logit : logits) logit /= sum;
  return logits;
}

Matrix SnapKv(const LayerView& layer, int window, int kernel) {
  const int before = layer.tokens - window, group = layer.group();
  Matrix scores(layer.kv_heads, Vector(layer.tokens));
  double largest = 0;
  for (int head = 0; head < layer.kv_heads; ++head) {
    const Matrix keys = ToDouble(layer.keys(head));
    Vector mean(before);
    for (int q = head * group; q < (head + 1) * group; ++q) {
      const Matrix queries = ToDouble(layer.queries(q));
      for (int w = 0; w < window; ++w) {
        const Vector query = Times(RotationMatrix(*layer.rope, layer.sequence_tokens - window + w),
                                   queries[before + w]);
        Vector logits;
        for (int t = 0; t <= before + w; ++t) {
          logits.push_back(Dot(query, keys[t]) / std::sqrt(layer.head_dim));
        }
        const Vector weights = Softmax(logits);
        for (int t = 0; t < before; ++t) mean[t] += weights[t] / window / group;
      }
    }
    for (int t = 0; t < before; ++t) {
      for (int n = t - kernel / 2; n <= t + kernel / 2; ++n) {
        if (0 <= n && n < before) scores[head][t] += mean[n] / kernel;
      }
      largest = std::max(largest, scores[head][t]);
    }
  }
  for (Vector& row : scores) std::fill(row.begin() + before, row.end(), largest + 1);
  return scores;
}

Matrix MeanRotationMatrix(const RopeParameters& rope, int first, int count) {
  const size_t dim = 2 * rope.inv_freq.size();
  Matrix mean(dim, Vector(dim));
  for (int position = first; position < first + count; ++position) {
    const Matrix r = RotationMatrix(rope, position);
    for (size_t i = 0; i < dim; ++i) {
      for (size_t j = 0; j < dim; ++j) mean[i][j] += r[i][j] / count;
    }
  }
  return mean;
}

// The variance of the projections of `queries` on `direction`.
double Variance(const Matrix& queries, const Vector& mean, const Vector& direction) {
  double sum = 0;
  for (Vector query : queries) {
    for (size_t i = 0; i < query.size(); ++i) query[i] -= mean[i];
    sum += std::pow(Dot(query, direction), 2);
  }
  return sum / static_cast<double>(queries.size());
}

Matrix Transposed(const Matrix& m) {
  Matrix t(m[0].size(), Vector(m.size()));
  for (size_t i = 0; i < m.size(); ++i) {
    for (size_t j = 0; j < m[0].size(); ++j) t[j][i] = m[i][j];
  }
  return t;
}

Matrix ExpectedAttention(const LayerView& layer, int future, int sinks, bool covariance, bool vnorm,
                         double epsilon) {
  const LayerView rest = layer.Slice(sinks, layer.tokens);
  // k·Rμ = (Rᵀk)·μ, and k·RΣRᵀk is the variance of the queries along Rᵀk.
  const Matrix back = Transposed(MeanRotationMatrix(*layer.rope, layer.tokens, future));
  Matrix scores(layer.kv_heads, Vector(layer.tokens));
  double largest = 0;
  for (int head = 0; head < layer.kv_heads; ++head) {
    for (int q = head * layer.group(); q < (head + 1) * layer.group(); ++q) {
      const Matrix queries = ToDouble(rest.queries(q));
      Vector mean(layer.head_dim), logits;
      for (const Vector& query : queries) {
        for (int i = 0; i < layer.head_dim; ++i) mean[i] += query[i] / rest.tokens;
      }
      for (const Vector& key : ToDouble(rest.keys(head))) {
        const Vector direction = Times(back, key);
        double logit = Dot(direction, mean) / std::sqrt(layer.head_dim);
        if (covariance) logit += Variance(queries, mean, direction) / 2 / layer.head_dim;
        logits.push_back(logit);
      }
      const Vector weights = Softmax(logits);
      for (int t = 0; t < rest.tokens; ++t) scores[head][sinks + t] += weights[t] / layer.group();
    }
    for (int t = 0; t < rest.tokens; ++t) {
      const Vector value = ToDouble(rest.values(head))[t];
      double& score = scores[head][sinks + t];
      if (vnorm) score = (score + epsilon) * std::sqrt(Dot(value, value));
      largest = std::max(largest, score);
    }
  }
  for (Vector& row : scores) std::fill_n(row.begin(), sinks, largest + 1);
  return scores;
}

void ExpectNear(const std::vector<std::vector<float>>& actual, const Matrix& expected,
                const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = 0;
  for (const Vector& row : expected) {
    largest = std::max(largest, *std::max_element(row.begin(), row.end()));
  }
  for (size_t head = 0; head < expected.size(); ++head) {
    for (size_t t = 0; t < expected[head].size(); ++t) {
      EXPECT_NEAR(actual[head][t], expected[head][t], 5e-6 * largest)
          << what << ", head " << head << ", token " << t;
    }
  }
}

TEST(SnapKvFormula, HoldsForAnyShape) {
  for (const auto& [tokens, q_heads, kv_heads] :
       {std::array{40, 2, 2}, std::array{41, 6, 2}, std::array{65, 5, 1}}) {
    const LayerFixture layer = RandomLayer(tokens, q_heads, kv_heads, 8);
    for (const auto& [window, kernel] : {std::pair(1, 1), std::pair(16, 5), std::pair(39, 7)}) {
      ExpectNear(Scores("snapkv", layer.view(), {1.0 * window, 1.0 * kernel}),
                 SnapKv(layer.view(), window, kernel),
                 std::to_string(tokens) + " tokens, window " + std::to_string(window));
    }
  }
}

TEST(SnapKvFormula, TurnsASlicesWindowToThePromptsEnd) {
  const LayerFixture layer = RandomLayer(60, 4, 2, 8);
  const LayerView slice = layer.view().Slice(10, 30);
  ExpectNear(Scores("snapkv", slice, {8, 3}), SnapKv(slice, 8, 3), "slice");
}

TEST(ExpectedAttentionFormula, HoldsForEveryParameter) {
  LayerFixture layer = RandomLayer(50, 6, 2, 8);
  layer.rope.scale = 1.25f;
  for (const int future : {1, 16, 512}) {
    for (const int sinks : {0, 4, 49}) {
      for (const bool covariance : {false, true}) {
        for (const auto& [vnorm, epsilon] :
             {std::pair(false, 0.0), std::pair(true, 0.0), std::pair(true, 0.02)}) {
          ExpectNear(Scores("expected_attention", layer.view(),
                            {1.0 * future, 1.0 * sinks, 1.0 * covariance, 1.0 * vnorm, epsilon}),
                     ExpectedAttention(layer.view(), future, sinks, covariance, vnorm, epsilon),
                     "future " + std::to_string(future) + ", sinks " + std::to_string(sinks));
        }
      }
    }
  }
}

TEST(ExpectedAttentionFormula, StartsTheFutureAtASlicesLength) {
  const LayerFixture layer = RandomLayer(60, 4, 2, 8);
  const LayerView slice = layer.view().Slice(20, 50);
  ExpectNear(Scores("expected_attention", slice), ExpectedAttention(slice, 512, 4, true, true, 0),
             "slice");
}

}  // namespace
}  // namespace kvscope::inference
