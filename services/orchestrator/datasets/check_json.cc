// A check's report for programs.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/check.h"

namespace kvscope::orchestrator {
namespace {

using nlohmann::ordered_json;

ordered_json SpreadJson(const Spread& spread) {
  return {{"mean", spread.mean()},
          {"deviation", spread.deviation()},
          {"min", spread.min()},
          {"max", spread.max()}};
}

template <typename Key>
ordered_json TagJson(const std::map<Key, int64_t>& counts) {
  ordered_json tags = ordered_json::object();
  for (const auto& [tag, count] : counts) tags[absl::StrCat(tag)] = count;
  return tags;
}

// The tags that the paper does not have.
template <typename Known>
ordered_json UnlistedJson(const std::map<std::string, int64_t>& counts, Known known) {
  ordered_json tags = ordered_json::array();
  for (const auto& [tag, count] : counts) {
    if (!tag.empty() && !known(tag)) tags.push_back(tag);
  }
  return tags;
}

ordered_json FindingsJson(const DatasetCheck& row) {
  ordered_json principles = ordered_json::object();
  for (size_t i = 0; i < kPrinciples.size(); ++i) {
    const auto principle = static_cast<Principle>(i);
    ordered_json kinds = {{"count", row.Findings(principle)}};
    for (size_t kind = 0; kind < kFindingKinds.size(); ++kind) {
      if (kFindingKinds[kind].principle != principle) continue;
      kinds[std::string(kFindingKinds[kind].name)] = row.findings[kind];
    }
    principles[std::string(kPrinciples[i])] = std::move(kinds);
  }
  return principles;
}

ordered_json DatasetJson(const DatasetCheck& row) {
  const double forward = row.ForwardShare();
  return {{"dataset", row.dataset},
          {"passages", row.passages},
          {"questions", row.questions},
          {"words_per_passage", SpreadJson(row.words)},
          {"questions_per_passage", SpreadJson(row.questions_each)},
          {"forward_share", forward < 0 ? ordered_json(nullptr) : ordered_json(forward)},
          {"answer_occurrences", SpreadJson(row.occurrences)},
          {"evidence_spans", SpreadJson(row.evidence)},
          {"held_to_suite", row.held},
          {"unanswerable", row.unanswerable},
          {"transformed", row.transformed},
          {"in_parts", row.in_parts},
          {"without_evidence", row.without_evidence},
          {"untagged", row.untagged},
          {"ungrounded", row.Findings(FindingKind::kUngrounded)},
          {"evidence_mismatch", row.Findings(FindingKind::kEvidence)},
          {"findings", FindingsJson(row)},
          {"directions", TagJson(row.directions)},
          {"answer_types", TagJson(row.answer_types)},
          {"question_types", TagJson(row.question_types)},
          {"hops", TagJson(row.hops)},
          {"unlisted_answer_types", UnlistedJson(row.answer_types, IsPaperAnswerType)},
          {"unlisted_question_types", UnlistedJson(row.question_types, IsPaperQuestionType)}};
}

}  // namespace

std::string CheckJson(const CheckReport& report) {
  ordered_json datasets = ordered_json::array();
  for (const DatasetCheck& row : report.datasets) datasets.push_back(DatasetJson(row));
  const ordered_json object = {{"file", report.path},
                               {"ok", report.ok()},
                               {"finding_count", report.finding_count},
                               {"findings", report.findings},
                               {"datasets", std::move(datasets)}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace kvscope::orchestrator
