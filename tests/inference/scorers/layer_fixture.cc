#include "tests/inference/scorers/layer_fixture.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>

namespace kvscope::inference {
namespace {

std::vector<float> HeadMajor(const std::vector<Rows>& heads, size_t capacity) {
  std::vector<float> data;
  for (const Rows& rows : heads) {
    const size_t end = data.size() + capacity * rows[0].size();
    for (const auto& row : rows) data.insert(data.end(), row.begin(), row.end());
    data.resize(end, std::nanf(""));  // nobody may read beyond the tokens
  }
  return data;
}

std::vector<float> TokenMajor(const std::vector<Rows>& heads) {
  std::vector<float> data;
  if (heads.empty()) return data;
  for (size_t token = 0; token < heads[0].size(); ++token) {
    for (const Rows& rows : heads) data.insert(data.end(), rows[token].begin(), rows[token].end());
  }
  return data;
}

std::vector<Rows> RandomHeads(int heads, int tokens, int head_dim, std::mt19937& generator) {
  std::normal_distribution<float> normal;
  std::vector<Rows> result(heads, Rows(tokens, std::vector<float>(head_dim)));
  for (Rows& rows : result) {
    for (auto& row : rows) {
      for (float& number : row) number = normal(generator);
    }
  }
  return result;
}

double DefaultOf(const ParameterInfo& info) {
  if (info.default_value == "true") return 1;
  if (info.default_value == "false" || info.default_value.empty()) return 0;
  return std::stod(std::string(info.default_value));
}

}  // namespace

LayerView LayerFixture::view() const {
  return {.layer = 0,
          .layers = 1,
          .tokens = tokens,
          .first_token = 0,
          .sequence_tokens = tokens,
          .q_heads = q_heads,
          .kv_heads = kv_heads,
          .head_dim = head_dim,
          .keys_data = keys.data(),
          .values_data = values.empty() ? nullptr : values.data(),
          .queries_data = queries.empty() ? nullptr : queries.data(),
          .capacity = tokens + 1,
          .rope = &rope};
}

LayerFixture MakeLayer(const std::vector<Rows>& keys, const std::vector<Rows>& values,
                       const std::vector<Rows>& queries) {
  LayerFixture layer;
  const int tokens = static_cast<int>(keys[0].size());
  const int head_dim = static_cast<int>(keys[0][0].size());
  layer.keys = HeadMajor(keys, tokens + 1);
  layer.values = HeadMajor(values, tokens + 1);
  layer.queries = TokenMajor(queries);
  for (int pair = 0; pair < head_dim / 2; ++pair) {
    layer.rope.inv_freq.push_back(std::pow(10000.0f, -2.0f * pair / head_dim));
  }
  layer.tokens = tokens;
  layer.q_heads = static_cast<int>(queries.empty() ? keys.size() : queries.size());
  layer.kv_heads = static_cast<int>(keys.size());
  layer.head_dim = head_dim;
  return layer;
}

LayerFixture RandomLayer(int tokens, int q_heads, int kv_heads, int head_dim) {
  std::mt19937 generator(tokens * 31 + q_heads);
  const auto keys = RandomHeads(kv_heads, tokens, head_dim, generator);
  const auto values = RandomHeads(kv_heads, tokens, head_dim, generator);
  return MakeLayer(keys, values, RandomHeads(q_heads, tokens, head_dim, generator));
}

std::vector<std::vector<float>> Scores(std::string_view scorer, const LayerView& layer,
                                       ParameterValues given) {
  const auto found = std::find_if(Scorers().begin(), Scorers().end(),
                                  [&](const ScorerInfo* info) { return info->name == scorer; });
  assert(found != Scorers().end());
  for (size_t i = given.size(); i < (*found)->parameters.size(); ++i) {
    given.push_back(DefaultOf((*found)->parameters[i]));
  }
  RowMatrix scores(layer.kv_heads, layer.tokens);
  (*found)->make(given)->Score(layer, {scores.data(), scores.rows(), scores.cols()});
  std::vector<std::vector<float>> rows;
  for (int head = 0; head < scores.rows(); ++head) {
    rows.emplace_back(scores.row(head).begin(), scores.row(head).end());
  }
  return rows;
}

}  // namespace kvscope::inference
