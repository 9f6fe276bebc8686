#include "services/inference/engine/survival.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kvscope::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A context whose passage is `passage`, with 4 characters before it and one after.
ContextText Around(const std::string& passage) {
  return {.text = "In.\n" + passage + "\n", .passage_begin = 4, .passage_end = 4 + passage.size()};
}

CharRange Span(int32_t begin, int32_t end) { return {begin, end}; }

TEST(FindAnswer, EveryOccurrenceWhateverItsCase) {
  EXPECT_THAT(FindAnswer(Around("Paris, then PARIS"), "paris"),
              ElementsAre(Span(4, 9), Span(16, 21)));
}

TEST(FindAnswer, RunsOfWhiteSpaceAreOneSpace) {
  EXPECT_THAT(FindAnswer(Around("New \n\tYork"), "  new   york "), ElementsAre(Span(4, 14)));
}

TEST(FindAnswer, OverlappingOccurrences) {
  EXPECT_THAT(FindAnswer(Around("ababa"), "aba"), ElementsAre(Span(4, 7), Span(6, 9)));
  EXPECT_THAT(FindAnswer(Around("aabaab"), "aab"), ElementsAre(Span(4, 7), Span(7, 10)));
}

TEST(FindAnswer, CountsCodePoints) {
  EXPECT_THAT(FindAnswer(Around("\u00e9\U0001F600 \u00c9COLE"), "\u00e9cole"),
              ElementsAre(Span(7, 12)));
  ContextText context = Around("x");
  context.text = "\u00fcx";  // what stands before the passage counts by characters too
  context.passage_begin = 2;
  context.passage_end = 3;
  EXPECT_THAT(FindAnswer(context, "X"), ElementsAre(Span(1, 2)));
}

TEST(FindAnswer, OnlyThePassageIsSearched) {
  EXPECT_THAT(FindAnswer(Around("nothing"), "In."), IsEmpty());
  EXPECT_THAT(FindAnswer(Around("nothing"), "nothing\nmore"), IsEmpty());
}

TEST(FindAnswer, NothingOccursNowhere) {
  EXPECT_THAT(FindAnswer(Around("a b"), ""), IsEmpty());
  EXPECT_THAT(FindAnswer(Around("a b"), " \n"), IsEmpty());
  EXPECT_THAT(FindAnswer(Around(""), "a"), IsEmpty());
}

TEST(AnswerSpans, OccurrencesGoBeforeEvidence) {
  const std::vector<CharRange> evidence = {Span(0, 2)};
  EXPECT_THAT(AnswerSpans(Around("Ann met Bob"), "bob", evidence), ElementsAre(Span(12, 15)));
}

TEST(AnswerSpans, EvidenceStandsWhereNoOccurrenceIs) {
  const std::vector<CharRange> evidence = {Span(8, 11), Span(0, 3)};
  EXPECT_THAT(AnswerSpans(Around("Ann met Bob"), "Ann and Bob", evidence),
              ElementsAre(Span(4, 7), Span(12, 15)));
  EXPECT_THAT(AnswerSpans(Around("Ann met Bob"), "Ann and Bob", {}), IsEmpty());
  ContextText context = Around("Bob");  // what stands before the passage counts by characters
  context.text = "\u00fcn.\n" + context.text.substr(4);
  context.passage_begin = 5;
  context.passage_end = 8;
  EXPECT_THAT(AnswerSpans(context, "Ann", std::vector{Span(0, 3)}), ElementsAre(Span(4, 7)));
}

TEST(TokensOverlapping, SpansMayHoldOneAnother) {
  const std::vector<CharRange> offsets = {Span(0, 2), Span(2, 5), Span(5, 6), Span(6, 9)};
  const std::vector<CharRange> spans = {Span(0, 6), Span(1, 2), Span(2, 3)};
  EXPECT_THAT(TokensOverlapping(offsets, spans), ElementsAre(0, 1, 2));
}

TEST(TokensOverlapping, AnySharedCharacterCounts) {
  const std::vector<CharRange> offsets = {Span(0, 2), Span(2, 5), Span(5, 6), Span(6, 9)};
  const std::vector<CharRange> spans = {Span(1, 3), Span(6, 7)};
  EXPECT_THAT(TokensOverlapping(offsets, spans), ElementsAre(0, 1, 3));
}

TEST(TokensOverlapping, TouchingIsNotOverlapping) {
  const std::vector<CharRange> offsets = {Span(0, 2), Span(2, 2), Span(2, 5)};
  EXPECT_THAT(TokensOverlapping(offsets, std::vector{Span(2, 5)}), ElementsAre(2));
  EXPECT_THAT(TokensOverlapping(offsets, {}), IsEmpty());
}

TEST(TokensOverlapping, PiecesOfOneCharacterAllCount) {
  const std::vector<CharRange> offsets = {Span(0, 1), Span(1, 2), Span(1, 2), Span(2, 3)};
  EXPECT_THAT(TokensOverlapping(offsets, std::vector{Span(1, 2)}), ElementsAre(1, 2));
}

TEST(TokenBits, OneBitAToken) {
  EXPECT_THAT(TokenBits(std::vector<int32_t>{0, 3, 64, 127}, 3),
              ElementsAre(9u, 1u | uint64_t{1} << 63, 0u));
}

}  // namespace
}  // namespace kvscope::inference
