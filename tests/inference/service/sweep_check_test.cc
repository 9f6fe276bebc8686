// Sweeps over several models; of one, see worker_test.cc.
#include "services/inference/service/sweep_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/inference/service/pocket_unit.h"

namespace kvscope::inference {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kQwen2 = std::string(KVSCOPE_SOURCE_DIR) + "/tests/golden/models/qwen2-tiny";
const std::string kLlama = kModelsDir + "/pocket-llama";

v1::CheckPart Part(const std::vector<std::string>& models) {
  v1::CheckPart part;
  part.set_sweep_id("5eed");
  v1::SweepSpec& spec = *part.mutable_spec();
  spec.set_model(models.front());
  for (size_t i = 1; i < models.size(); ++i) spec.add_more_models(models[i]);
  spec.add_regimes(v1::AGNOSTIC);
  spec.add_regimes(v1::AWARE);
  spec.add_presses("knorm");
  spec.add_ratios(0.5);
  spec.set_max_new_tokens(4);
  *part.mutable_passages() = PocketUnit().passages();
  spec.add_datasets()->set_passage_count(part.passages_size());
  part.set_last_part(true);
  return part;
}

v1::CheckReply Check(const v1::CheckPart& part) {
  EngineCache cache("");
  SweepCheck check(cache, "cpu");
  check.Take(part, Cancellation());
  EXPECT_TRUE(check.complete());
  return check.reply();
}

TEST(SweepCheck, AnswersForEveryModelAsForItAlone) {
  const v1::CheckReply both = Check(Part({kLlama, kQwen2}));
  EXPECT_EQ(both.error(), "");
  ASSERT_EQ(both.more_models_size(), 1);
  const v1::CheckReply llama = Check(Part({kLlama})), qwen2 = Check(Part({kQwen2}));
  EXPECT_EQ(both.model().SerializeAsString(), llama.model().SerializeAsString());
  EXPECT_EQ(both.context_tokens_total(), llama.context_tokens_total());
  EXPECT_EQ(both.context_tokens_max(), llama.context_tokens_max());
  const v1::ModelCheck& second = both.more_models(0);
  EXPECT_EQ(second.model().SerializeAsString(), qwen2.model().SerializeAsString());
  EXPECT_EQ(second.model().model_type(), "qwen2");
  EXPECT_EQ(second.context_tokens_total(), qwen2.context_tokens_total());
  EXPECT_EQ(second.context_tokens_max(), qwen2.context_tokens_max());
  EXPECT_NE(second.context_tokens_total(), both.context_tokens_total());
}

TEST(SweepCheck, SaysWhichOfSeveralModelsCannotRunIt) {
  EXPECT_THAT(Check(Part({kLlama, "/no/model"})).error(),
              AllOf(StartsWith("model[1]: there is no"), HasSubstr("/no/model")));
  v1::CheckPart part = Part({kQwen2, kLlama});  // whose window has 1024 tokens
  std::string& context = *part.mutable_passages(1)->mutable_context();
  while (context.size() < 20'000) context += context;
  EXPECT_THAT(Check(part).error(), AllOf(StartsWith("model[1]: data set \"towns\", passage "
                                                    "\"towns-1\": "),
                                         HasSubstr("1024")));
  part.mutable_spec()->set_model(kLlama);
  part.mutable_spec()->clear_more_models();
  EXPECT_THAT(Check(part).error(), StartsWith("data set \"towns\""));
}

}  // namespace
}  // namespace kvscope::inference
