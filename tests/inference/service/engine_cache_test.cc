#include "services/inference/service/engine_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/inference/service/pocket_unit.h"

namespace kvscope::inference {
namespace {

const std::string kTinyQwen2 = std::string(KVSCOPE_SOURCE_DIR) + "/tests/golden/models/qwen2-tiny";
const std::string kTinyLlama = std::string(KVSCOPE_SOURCE_DIR) + "/tests/golden/models/llama3-tiny";
const std::string kPocketLlama = kModelsDir + "/pocket-llama";

std::shared_ptr<const Engine> Open(EngineCache& cache, const std::string& model) {
  EngineOptions options;
  options.device = "cpu";
  auto engine = cache.Open(model, options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return engine.ok() ? *engine : nullptr;
}

TEST(EngineCache, KeepsTheTwoSmallModelsThatWereUsedLast) {
  EngineCache cache("");
  const auto llama = Open(cache, kPocketLlama), qwen2 = Open(cache, kTinyQwen2);
  EXPECT_EQ(Open(cache, kPocketLlama), llama);
  EXPECT_EQ(Open(cache, kTinyQwen2), qwen2);
  const auto third = Open(cache, kTinyLlama);
  EXPECT_EQ(Open(cache, kTinyQwen2), qwen2);
  EXPECT_NE(Open(cache, kPocketLlama), llama);
}

TEST(EngineCache, OneLargeModelGoesBeforeTheNextIsRead) {
  EngineCache cache("", /*max_pair_bytes=*/1 << 20);  // pocket-llama has 2.3 MB
  const std::weak_ptr<const Engine> llama = Open(cache, kPocketLlama);
  EXPECT_EQ(Open(cache, kPocketLlama), llama.lock());
  const std::weak_ptr<const Engine> qwen2 = Open(cache, kTinyQwen2);
  EXPECT_TRUE(llama.expired());
  EXPECT_FALSE(qwen2.expired());
}

}  // namespace
}  // namespace kvscope::inference
