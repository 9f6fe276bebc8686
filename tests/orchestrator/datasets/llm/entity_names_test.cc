#include "services/orchestrator/datasets/llm/entity_names.h"

#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "services/orchestrator/datasets/grounding.h"

namespace kvscope::orchestrator::llm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Draft Example() {
  return {.passage =
              "Dr. Anna Berg met Karl Berg in Halden. Berg's house faced the Halden Institute "
              "of Botany, near the Grand Festival. “Anna,” said Étienne, “it is May.”",
          .entities = {{"Anna Berg", "Person"},
                       {"Karl Berg", "Person"},
                       {"Halden", "Location"},
                       {"Halden Institute of Botany", "Organization"},
                       {"Grand Festival", "Events"},
                       {"Étienne", "Person"}},
          .facts = {{"Anna Berg", "home of Berg", "Halden"}}};
}

Draft Renamed(uint64_t seed) {
  Draft draft = Example();
  Random random(seed);
  RenameEntities(draft, random);
  return draft;
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

TEST(RenameEntities, ReplacesWordForWordAndConsistently) {
  const Draft draft = Renamed(1);
  const auto first = Words(draft.entities[0].name), second = Words(draft.entities[1].name);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1], second[1]);  // still one family
  EXPECT_NE(first[0], second[0]);
  const std::string town = draft.entities[2].name;
  const auto institute = Words(draft.entities[3].name);
  EXPECT_THAT(institute, ElementsAre(town, "Institute", "of", testing::_));
  EXPECT_EQ(draft.facts[0].subject, draft.entities[0].name);
  EXPECT_EQ(draft.facts[0].attribute, "home of " + first[1]);
  EXPECT_EQ(draft.facts[0].value, town);
  EXPECT_THAT(draft.passage, HasSubstr("Dr. " + draft.entities[0].name + " met"));
  EXPECT_THAT(draft.passage, HasSubstr(first[1] + "'s house faced the " + town + " Institute"));
  EXPECT_THAT(draft.passage, HasSubstr("“" + first[0] + ",” said"));
  EXPECT_THAT(draft.passage, HasSubstr("it is May"));
  for (const char* old : {"Anna", "Berg", "Karl", "Halden", "Botany", "Grand", "Étienne"}) {
    EXPECT_THAT(draft.passage, Not(HasSubstr(old)));
  }
  EXPECT_THAT(Words(draft.entities[4].name), ElementsAre(testing::_, "Festival"));
  EXPECT_EQ(CountWords(draft.passage), CountWords(Example().passage));
}

TEST(RenameEntities, DependsOnTheStreamAlone) {
  EXPECT_EQ(Renamed(1).passage, Renamed(1).passage);
  EXPECT_NE(Renamed(1).passage, Renamed(2).passage);
}

TEST(RenameEntities, NeverGivesTwoEntitiesOneName) {
  Draft draft;
  for (int i = 0; i < 300; ++i) {  // more than there are short names of towns
    const std::string name = "Q" + std::string(static_cast<size_t>(i) + 1, 'x');
    draft.entities.push_back({name, "Location"});
    draft.passage += name + " ";
  }
  Random random(1);
  RenameEntities(draft, random);
  std::set<std::string> names;
  for (const Entity& entity : draft.entities) names.insert(entity.name);
  EXPECT_EQ(names.size(), 300u);
}

TEST(UnlistedNames, FindsCapitalsWithinSentences) {
  Draft draft = Example();
  EXPECT_THAT(UnlistedNames(draft), IsEmpty());
  draft.passage +=
      " Later, Napoleon came. He saw Lake Como and Rome; on Monday the King of Rome left, and I "
      "too.";
  EXPECT_THAT(UnlistedNames(draft), ElementsAre("Napoleon", "Como", "Rome"));
}

}  // namespace
}  // namespace kvscope::orchestrator::llm
