#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/orchestrator/datasets/import/imported.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(ImportSquad, ReadsBothVersions) {
  const auto imported = ImportFrom("squad.json", R"({
    "version": "v2.0", "notes": [{"data": 1}, [[]]], "data": [
      {"title": "T", "paragraphs": [
        {"qas": [
          {"id": "a", "question": "Who?", "is_impossible": false, "answers": [
            {"text": "Ann", "answer_start": 12}, {"text": "ann", "answer_start": 12},
            {"text": "Ann", "answer_start": 0}]},
          {"id": "b", "question": "Why?", "is_impossible": true, "answers": [],
           "plausible_answers": [{"text": "saw", "answer_start": 6}]}],
         "context": "Ann é saw  Ann."}]},
      {"title": "U", "paragraphs": [
        {"context": "Bob.", "qas": [
          {"id": "c", "question": "Who?", "answers": [{"text": "Bob", "answer_start": 0}]}]},
        {"context": "Ann é saw  Ann.", "qas": []}]}]})");
  ASSERT_THAT(imported.report.problems,
              ElementsAre("squad.json: data[0].paragraphs[0].qas[0].answer_start: is 12, where the "
                          "context reads \"nn.\", but the answer \"Ann\" stands at 0, 11"));
}

TEST(ImportSquad, KeepsTheStartsThatAreRight) {
  const auto imported = ImportFrom("squad.json", R"({
    "version": "v2.0", "notes": [{"data": 1}, [[]]], "data": [
      {"title": "T", "paragraphs": [
        {"qas": [
          {"id": "a", "question": "Who?", "is_impossible": false, "answers": [
            {"text": "Ann", "answer_start": 11}, {"text": "ann", "answer_start": 11},
            {"text": "Ann", "answer_start": 0}, {"text": "saw Ann"}]},
          {"id": "b", "question": "Why?", "is_impossible": true, "answers": [],
           "plausible_answers": [{"text": "saw", "answer_start": 6}]}],
         "context": "Ann é saw  Ann."}]},
      {"title": "U", "paragraphs": [
        {"context": "Bob.", "qas": [
          {"id": "c", "question": "Who?", "answers": [{"text": "Bob", "answer_start": 0}]}]},
        {"context": "Ann é saw  Ann.", "qas": [
          {"id": "d", "question": "W?", "answers": [{"text": "saw", "answer_start": 6}]}]}]}]})");
  ASSERT_TRUE(imported.report.written) << imported.status;
  ASSERT_THAT(imported.passages, SizeIs(2));
  const auto& questions = imported.passages[0].questions;
  ASSERT_THAT(questions, SizeIs(3));  // its context came twice
  EXPECT_EQ(questions[0].question_id, "a");
  EXPECT_EQ(questions[0].answer, "Ann");
  EXPECT_THAT(questions[0].aliases, ElementsAre("ann", "saw Ann"));
  EXPECT_THAT(questions[0].evidence, ElementsAre(Evidence{11, 14}, Evidence{0, 3}));
  EXPECT_EQ(questions[1].answer, kUnknownAnswer);
  EXPECT_THAT(questions[1].aliases, IsEmpty());
  EXPECT_EQ(questions[2].question_id, "d");
  EXPECT_EQ(imported.passages[1].context, "Bob.");
  EXPECT_EQ(imported.report.unanswerable, 1);
}

std::string Document(const std::string& paragraphs) {
  return absl::StrCat(
      R"({"data": [{"paragraphs": [)"
      R"({"context": "Ann.", "qas": [{"question": "W?", "answers": [{"text": "Ann"}]}]},)",
      paragraphs, "]}]}");
}

std::vector<std::string> ProblemsOf(const std::string& paragraphs) {
  const auto imported = ImportGood("s.json", Document(paragraphs));
  EXPECT_TRUE(imported.status.ok()) << imported.status;
  EXPECT_EQ(imported.report.rows_taken(), 1);
  return imported.report.problems;
}

TEST(ImportSquad, NamesTheElement) {
  EXPECT_THAT(
      ProblemsOf(R"({"context": "Bob.", "qas": [
                  {"question": "A?", "answers": []},
                  {"question": "B?", "answers": [{"text": "Bob"}, {"text": 1.5}]},
                  {"question": "C?", "answers": [{"answer_start": 3}]},
                  {"answers": [{"text": "Bob"}]},
                  {"question": "D?", "answers": ["Bob"]},
                  {"question": "E?", "answers": [{"text": "Ann", "answer_start": 0}]},
                  {"question": "F?", "answers": [{"text": "Bob", "answer_start": -1}]}, 7]})"),
      ElementsAre("s.json: data[0].paragraphs[1].qas[0].answers: is missing or empty, must "
                  "be text",
                  "s.json: data[0].paragraphs[1].qas[1].answers[1].text: is 1.5, must be "
                  "text",
                  "s.json: data[0].paragraphs[1].qas[2].answers: is missing or empty, must "
                  "be text",
                  "s.json: data[0].paragraphs[1].qas[3].question: is missing",
                  "s.json: data[0].paragraphs[1].qas[4].answers[0]: is \"Bob\", must be an "
                  "object",
                  "s.json: data[0].paragraphs[1].qas[5].answer_start: is 0, where the "
                  "context reads \"Bob\", but the answer \"Ann\" does not occur there",
                  "s.json: data[0].paragraphs[1].qas[6].answers[0].answer_start: is -1, must "
                  "be a whole number from 0",
                  "s.json: data[0].paragraphs[1].qas[7]: is 7, must be an object"));
  EXPECT_THAT(
      ProblemsOf(R"({"qas": [{}, {}]}, {"context": "x"}, 5, {"context": " ", "qas": [{}]})"),
      ElementsAre("s.json: data[0].paragraphs[1].context: is missing",
                  "s.json: data[0].paragraphs[2].qas: is missing",
                  "s.json: data[0].paragraphs[3]: is 5, must be an object",
                  "s.json: data[0].paragraphs[4].qas[0].question: is missing"));
  EXPECT_THAT(ProblemsOf(R"({"context": "a", "context": "b", "qas": []})"),
              ElementsAre("s.json: data[0].paragraphs[1]: key \"context\" is given twice"));
}

TEST(ImportSquad, BrokenBytesSpoilTheirRowAlone) {
  EXPECT_THAT(ProblemsOf("{\"context\": \"B\xC3.\", \"qas\": [{}, {}]}, {\"context\": \"Bob.\", "
                         "\"qas\": [{\"question\": \"W\xFF?\", \"answers\": []}]}"),
              ElementsAre("s.json: data[0].paragraphs[1].context: holds bytes that are not UTF-8",
                          "s.json: data[0].paragraphs[2].qas[0]: holds bytes that are not UTF-8"));
}

TEST(ImportSquad, WhatLeadsNowhereIsTold) {
  const auto imported = ImportGood(
      "s.json", R"({"data": [{"paragraphs": {}}, {"title": "x"}, [], "y", {"paragraphs": []}]})");
  EXPECT_THAT(imported.report.problems,
              ElementsAre("s.json: data[0].paragraphs: is an object, must be a list",
                          "s.json: data[1].paragraphs: is missing",
                          "s.json: data[2]: is a list, must be an object",
                          "s.json: data[3]: is \"y\", must be an object"));
  EXPECT_FALSE(imported.report.written);
}

TEST(ImportSquad, BrokenJsonEndsTheFile) {
  ImportOptions options;
  options.format = "squad";
  options.skip_bad = true;
  const std::string whole = Document("{}");
  EXPECT_THAT(ImportFrom("s.json", whole.substr(0, whole.size() - 4), options).status.message(),
              HasSubstr("s.json: is not valid JSON at byte "));
  EXPECT_EQ(
      std::string(ImportFrom("s.json", R"({"data": [{"paragraphs": [{"context": "\ud800"}]}]})")
                      .status.message()),
      "s.json: is not valid JSON at byte 46, in data[0].paragraphs[0]");
  std::string deep = R"({"data": )";
  for (int i = 0; i < 1'000'000; ++i) deep += "[";
  EXPECT_THAT(ImportFrom("s.json", deep, options).status.message(),
              HasSubstr("s.json: brackets nest more than 64 deep"));
}

}  // namespace
}  // namespace kvscope::orchestrator
