#include "tests/bench/engine/model_shapes.h"

#include <algorithm>
#include <iterator>

namespace kvscope::bench {
namespace {

struct Shape {
  const char* name;
  int vocab_size, hidden_size, intermediate_size, layers, q_heads, kv_heads, head_dim;
  double theta;  // of RoPE
};
constexpr Shape kShapes[] = {
    {"pocket", 1024, 128, 384, 6, 4, 2, 32, 1e4},
    {"qwen-0.5b", 151936, 896, 4864, 24, 14, 2, 64, 1e6},
    {"llama-1b", 128256, 2048, 8192, 16, 32, 8, 64, 5e5},
    {"llama-3b", 128256, 3072, 8192, 28, 24, 8, 128, 5e5},
    {"llama-8b", 128256, 4096, 14336, 32, 32, 8, 128, 5e5},
};

}  // namespace

std::vector<std::string> ShapeNames() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

inference::ModelConfig ConfigOf(const std::string& name) {
  const Shape& shape = *std::find_if(std::begin(kShapes), std::end(kShapes),
                                     [&](const Shape& s) { return s.name == name; });
  inference::ModelConfig config;
  config.model_type = "llama";
  config.max_positions = 131072;
  config.tie_word_embeddings = true;
  config.vocab_size = shape.vocab_size;
  config.hidden_size = shape.hidden_size;
  config.intermediate_size = shape.intermediate_size;
  config.layers = shape.layers;
  config.q_heads = shape.q_heads;
  config.kv_heads = shape.kv_heads;
  config.head_dim = shape.head_dim;
  config.rope.theta = shape.theta;
  return config;
}

}  // namespace kvscope::bench
