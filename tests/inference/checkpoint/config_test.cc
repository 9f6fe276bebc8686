#include "services/inference/checkpoint/config.h"

#include <nlohmann/json.hpp>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/inference/checkpoint/directory.h"

namespace kvscope::inference {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json Llama() {
  return {{"model_type", "llama"},  {"vocab_size", 100},       {"hidden_size", 64},
          {"intermediate_size", 8}, {"num_hidden_layers", 2},  {"num_attention_heads", 4},
          {"rope_theta", 500000.0}, {"num_key_value_heads", 2}};
}

ModelConfig Parse(const json& config) {
  auto parsed = ParseModelConfig(config.dump(), "config.json");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : ModelConfig();
}

std::string Refusal(json config, const char* field, const json& value) {
  config[field] = value;
  const auto parsed = ParseModelConfig(config.dump(), "dir/config.json");
  EXPECT_FALSE(parsed.ok()) << field << " " << value;
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("dir/config.json: "));
  return std::string(parsed.status().message());
}

TEST(ModelConfigTest, ReadsTheGoldenModels) {
  auto config = ReadModelConfig(kGoldenModels / "llama3-tiny-bf16");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->dtype, DType::kBFloat16);
  EXPECT_EQ(config->rope.kind, "llama3");
  EXPECT_EQ(config->rope.factor, 32.0);
  EXPECT_EQ(config->rope.original_max_positions, 8192);
  EXPECT_EQ(config->q_heads, 4);
  EXPECT_EQ(config->group(), 2);

  auto mistral = ReadModelConfig(kGoldenModels / "mistral-tiny");  // transformers 5's style
  ASSERT_TRUE(mistral.ok()) << mistral.status();
  EXPECT_EQ(mistral->rope.theta, 1e6);
  EXPECT_EQ(mistral->dtype, DType::kFloat32);

  auto qwen2 = ReadModelConfig(kGoldenModels / "qwen2-tiny");
  ASSERT_TRUE(qwen2.ok()) << qwen2.status();
  EXPECT_TRUE(qwen2->attention_bias);
  EXPECT_FALSE(qwen2->attention_output_bias);
  EXPECT_TRUE(qwen2->tie_word_embeddings);
  EXPECT_EQ(qwen2->head_dim, 16);
  EXPECT_TRUE(ReadModelConfig(kGoldenModels / "qwen3-tiny")->qk_norm);
}

TEST(ModelConfigTest, FillsDefaultsAsTransformersDoes) {
  const ModelConfig config = Parse(Llama());
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_FALSE(config.attention_bias);
  EXPECT_EQ(config.rms_norm_eps, 1e-6f);
  json no_groups = Llama();
  no_groups.erase("num_key_value_heads");
  EXPECT_EQ(Parse(no_groups).kv_heads, 4);
  json biased = Llama();
  biased["attention_bias"] = biased["mlp_bias"] = true;
  EXPECT_TRUE(Parse(biased).attention_output_bias);
  EXPECT_TRUE(Parse(biased).mlp_bias);
  json qwen3 = Llama();
  qwen3["model_type"] = "qwen3";
  EXPECT_EQ(Parse(qwen3).head_dim, 128);
}

TEST(ModelConfigTest, ReadsBothStylesOfRope) {
  json older = Llama();
  older["rope_scaling"] = {{"type", "linear"}, {"factor", 4}};
  EXPECT_EQ(Parse(older).rope.kind, "linear");
  EXPECT_EQ(Parse(older).rope.theta, 500000.0);
  json newer = Llama();
  newer["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 10.0}};
  EXPECT_EQ(Parse(newer).rope.theta, 10.0);
}

TEST(ModelConfigTest, NamesFieldFoundAndAllowed) {
  EXPECT_THAT(
      Refusal(Llama(), "model_type", "gpt2"),
      AllOf(HasSubstr("model_type is \"gpt2\""), HasSubstr("llama, mistral, qwen2, qwen3")));
  EXPECT_THAT(Refusal(Llama(), "model_type", nullptr), HasSubstr("model_type is missing"));
  EXPECT_THAT(Refusal(Llama(), "hidden_size", 0),
              HasSubstr("hidden_size is 0; a whole number in [1"));
  EXPECT_THAT(Refusal(Llama(), "hidden_size", 1.5), HasSubstr("hidden_size is 1.5"));
  EXPECT_THAT(Refusal(Llama(), "hidden_size", 18446744073709551615ull),
              HasSubstr("hidden_size is 184"));
  EXPECT_THAT(Refusal(Llama(), "vocab_size", nullptr), HasSubstr("vocab_size is missing"));
  EXPECT_THAT(Refusal(Llama(), "num_key_value_heads", 3),
              HasSubstr("a divisor of num_attention_heads (4)"));
  EXPECT_THAT(Refusal(Llama(), "head_dim", 7), HasSubstr("an even number"));
  EXPECT_THAT(Refusal(Llama(), "num_attention_heads", 128), HasSubstr("head_dim is 0"));
  EXPECT_THAT(Refusal(Llama(), "hidden_act", "gelu"), HasSubstr("only 'silu'"));
  EXPECT_THAT(Refusal(Llama(), "quantization_config", json::object()), HasSubstr("quantised"));
  EXPECT_THAT(Refusal(Llama(), "torch_dtype", "int8"), HasSubstr("dtype is 'int8'"));
  EXPECT_THAT(Refusal(Llama(), "rope_scaling", json{{"rope_type", "yarn"}}),
              AllOf(HasSubstr("rope_scaling.rope_type is 'yarn'"), HasSubstr("llama3")));
  EXPECT_THAT(Refusal(Llama(), "rope_scaling", json{{"rope_type", "llama3"}}),
              HasSubstr("rope_scaling.factor is missing"));
  EXPECT_THAT(Refusal(Llama(), "rms_norm_eps", "small"), HasSubstr("rms_norm_eps"));
}

TEST(ModelConfigTest, RefusesSlidingWindowsInUse) {
  json mistral = Llama();
  mistral["model_type"] = "mistral";
  mistral["max_position_embeddings"] = 32768;
  EXPECT_THAT(Refusal(mistral, "sliding_window", 4096), HasSubstr("sliding_window is 4096"));
  EXPECT_THAT(Refusal(mistral, "hidden_act", "silu"), HasSubstr("sliding_window is 4096"))
      << "absent: transformers' default";
  mistral["sliding_window"] = nullptr;
  Parse(mistral);

  json qwen2 = Llama();
  qwen2["model_type"] = "qwen2";
  qwen2["sliding_window"] = 10;
  qwen2["max_window_layers"] = 1;
  Parse(qwen2);  // not in use
  EXPECT_THAT(Refusal(qwen2, "use_sliding_window", true), HasSubstr("use_sliding_window is true"));
  EXPECT_THAT(Refusal(qwen2, "layer_types", json{"full_attention", "sliding_attention"}),
              HasSubstr("layer_types"));
}

using GenerationConfigTest = DirectoryTest;

TEST_F(GenerationConfigTest, ReadsOneIdOrAList) {
  EXPECT_THAT(ReadGenerationConfig(directory_)->eos_ids, IsEmpty());
  Write("config.json", R"({"eos_token_id": 7})");
  EXPECT_THAT(ReadGenerationConfig(directory_)->eos_ids, ElementsAre(7));
  Write("generation_config.json", R"({"eos_token_id": [3, 5]})");
  EXPECT_THAT(ReadGenerationConfig(directory_)->eos_ids, ElementsAre(3, 5));
  Write("generation_config.json", R"({"eos_token_id": null})");
  EXPECT_THAT(ReadGenerationConfig(directory_)->eos_ids, ElementsAre(7));
  Write("generation_config.json", R"({"eos_token_id": [3, -1]})");
  EXPECT_THAT(std::string(ReadGenerationConfig(directory_).status().message()),
              AllOf(HasSubstr("generation_config.json"), HasSubstr("eos_token_id is [3,-1]")));
}

}  // namespace
}  // namespace kvscope::inference
