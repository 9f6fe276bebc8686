// ScoreTable: what every KV pair of a prompt is worth to one scorer.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "services/inference/flow/capture.h"

namespace kvscope::inference {

// One layer's scores, [kv_heads, tokens]; higher is kept first.
using ScoreMatrix = Eigen::Map<RowMatrix>;
using ConstScoreMatrix = Eigen::Map<const RowMatrix>;

class ScoreTable {
 public:
  ScoreTable() = default;
  ScoreTable(int layers, int kv_heads, int tokens)
      : layers_(layers),
        kv_heads_(kv_heads),
        tokens_(tokens),
        scores_(static_cast<size_t>(layers) * kv_heads * tokens) {}

  int layers() const { return layers_; }
  int kv_heads() const { return kv_heads_; }
  int tokens() const { return tokens_; }
  ScoreMatrix layer(int l) { return {scores_.data() + offset(l), kv_heads_, tokens_}; }
  ConstScoreMatrix layer(int l) const { return {scores_.data() + offset(l), kv_heads_, tokens_}; }
  const std::vector<float>& values() const { return scores_; }  // [layers, kv_heads, tokens]

 private:
  size_t offset(int l) const { return static_cast<size_t>(l) * kv_heads_ * tokens_; }
  int layers_ = 0, kv_heads_ = 0, tokens_ = 0;
  std::vector<float> scores_;
};

}  // namespace kvscope::inference
