#include "services/client/cli/model_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvscope::cli {
namespace {

using ::testing::ElementsAre;

TEST(LastName, OfAnyPath) {
  EXPECT_EQ(LastName("models/pocket-llama"), "pocket-llama");
  EXPECT_EQ(LastName("/models//pocket-llama/"), "pocket-llama");
  EXPECT_EQ(LastName("pocket-llama"), "pocket-llama");
  EXPECT_EQ(LastName("a/b/.."), "a");
}

TEST(ModelLabels, AreShortUnlessTwoWouldBeTheSame) {
  const ModelLabels labels({"models/a", "old/b", "new/b"});
  EXPECT_TRUE(labels.several());
  EXPECT_EQ(labels.Of("models/a"), "a");
  EXPECT_EQ(labels.Of("old/b"), "old/b");
  EXPECT_EQ(labels.Of("new/b"), "new/b");
  EXPECT_EQ(labels.Of("another"), "another");
  EXPECT_EQ(labels.Part("hops", "models/a"), "hops \u00B7 a");
  EXPECT_EQ(ModelLabels({"models/a"}).Part("hops", "models/a"), "hops");
}

TEST(ModelLabels, NamesAreTheChecksOnceThereIsOne) {
  v1::Sweep sweep;
  sweep.mutable_spec()->set_model("a");
  sweep.mutable_spec()->add_more_models("b");
  EXPECT_THAT(ModelsOf(sweep), ElementsAre("a", "b"));
  sweep.mutable_model()->set_name("checked a");
  sweep.add_more_models()->set_name("checked b");
  EXPECT_THAT(ModelsOf(sweep), ElementsAre("checked a", "checked b"));
}

}  // namespace
}  // namespace kvscope::cli
