#include "services/metrics/probe/probe.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

absl::Status CheckOptions(const ProbeOptions& options) {
  const auto refuse = [](const char* name, auto value, const char* allowed) {
    return absl::InvalidArgumentError(
        absl::StrCat("probe option ", name, " is ", value, ", allowed: ", allowed));
  };
  if (!(options.softmax.l2 > 0) || !std::isfinite(options.softmax.l2)) {
    return refuse("l2", options.softmax.l2, "finite and above 0");
  }
  if (!(options.train_share > 0 && options.train_share < 1)) {
    return refuse("train_share", options.train_share, "above 0 and below 1");
  }
  if (options.min_tag_rows < 2) return refuse("min_tag_rows", options.min_tag_rows, "at least 2");
  if (options.bootstrap_draws < 0) {
    return refuse("bootstrap_draws", options.bootstrap_draws, "at least 0");
  }
  return absl::OkStatus();
}

// The tags that occur, with why those with too few rows or passages are left out.
std::vector<ProbeTag> ListTags(const ProbeRows& rows, int min_rows) {
  struct Of {
    int64_t rows = 0;
    std::set<std::string_view> passages;
  };
  std::map<std::string_view, Of> of_tag;
  for (size_t row = 0; row < rows.tags.size(); ++row) {
    if (rows.tags[row].empty()) continue;
    Of& of = of_tag[rows.tags[row]];
    ++of.rows;
    of.passages.insert(rows.passages[row]);
  }
  std::vector<ProbeTag> tags;
  for (const auto& [name, of] : of_tag) {
    ProbeTag tag;
    tag.tag = name;
    if (of.rows < min_rows || of.passages.size() < 2) {
      tag.note = absl::StrCat("rows: ", of.rows, ", passages: ", of.passages.size(), "; at least ",
                              min_rows, " and 2 are needed");
    }
    tags.push_back(std::move(tag));
  }
  return tags;
}

// Makes classes of the tags without a note, and of the rows.
void AssignClasses(const ProbeRows& rows, ProbePlan* plan) {
  plan->fitted.clear();
  std::map<std::string_view, int> class_of;
  for (size_t i = 0; i < plan->tags.size(); ++i) {
    if (!plan->tags[i].note.empty()) continue;
    class_of[plan->tags[i].tag] = static_cast<int>(plan->fitted.size());
    plan->fitted.push_back(static_cast<int>(i));
  }
  plan->classes.clear();
  plan->classes.reserve(rows.tags.size());
  for (const std::string& tag : rows.tags) {
    const auto found = class_of.find(tag);
    plan->classes.push_back(found == class_of.end() ? -1 : found->second);
  }
}

// Counts the classes' rows on both sides and leaves out those that are on one side only.
void LeaveOutOneSided(const ProbeRows& rows, ProbePlan* plan) {
  std::vector<int64_t> train(plan->fitted.size()), validation(plan->fitted.size());
  for (const int64_t row : plan->split.train) ++train[plan->classes[row]];
  for (const int64_t row : plan->split.validation) ++validation[plan->classes[row]];
  bool any = false;
  for (size_t c = 0; c < plan->fitted.size(); ++c) {
    ProbeTag& tag = plan->tags[plan->fitted[c]];
    tag.train_count = train[c];
    tag.validation_count = validation[c];
    if (train[c] > 0 && validation[c] > 0) continue;
    tag.note = absl::StrCat("of its rows, ", train[c], " are for training and ", validation[c],
                            " for validation; both are needed");
    any = true;
  }
  if (!any) return;
  AssignClasses(rows, plan);
  const auto left_out = [plan](int64_t row) { return plan->classes[row] < 0; };
  std::erase_if(plan->split.train, left_out);
  std::erase_if(plan->split.validation, left_out);
}

std::string WhyNothing(const ProbePlan& plan) {
  if (plan.tags.empty()) return "no row has a tag";
  if (plan.fitted.empty()) return "no tag has rows enough to be told from others";
  return absl::StrCat("there is no tag to tell ", plan.tags[plan.fitted[0]].tag, " from",
                      plan.tags.size() > 1 ? ": the others have too few rows" : "");
}

std::string LeftOut(const ProbePlan& plan) {
  std::vector<std::string> names;
  for (const ProbeTag& tag : plan.tags) {
    if (!tag.note.empty()) names.push_back(tag.tag);
  }
  if (names.empty()) return "";
  return absl::StrCat("without ", absl::StrJoin(names, ", "), ": too few rows");
}

// Numbers the passages of the selected rows from 0 on.
std::vector<int> Clusters(const ProbeRows& rows, std::span<const int64_t> selected) {
  std::map<std::string_view, int> number;
  std::vector<int> clusters;
  clusters.reserve(selected.size());
  for (const int64_t row : selected) {
    clusters.push_back(
        number.try_emplace(rows.passages[row], static_cast<int>(number.size())).first->second);
  }
  return clusters;
}

int64_t CountClusters(std::span<const int> clusters) {
  return clusters.empty() ? 0 : *std::max_element(clusters.begin(), clusters.end()) + 1;
}

// One side's features and classes; in memory where they are small enough.
struct Side {
  std::unique_ptr<FeatureSource> features;
  std::vector<int> classes;
  std::vector<int> clusters;
};

absl::StatusOr<Side> TakeSide(const FeatureSource& features, const ProbeRows& rows,
                              const ProbePlan& plan, std::span<const int64_t> selected,
                              int64_t in_memory_bytes) {
  Side side{std::make_unique<SelectedRows>(features, selected), {}, Clusters(rows, selected)};
  for (const int64_t row : selected) side.classes.push_back(plan.classes[row]);
  const int64_t numbers = side.features->rows() * side.features->width();
  if (numbers <= in_memory_bytes / int64_t{sizeof(float)}) {
    KVSCOPE_ASSIGN_OR_RETURN(FeatureMatrix matrix, FeatureMatrix::Load(*side.features));
    side.features = std::make_unique<FeatureMatrix>(std::move(matrix));
  }
  return side;
}

// Empty if every feature is finite.
absl::StatusOr<std::string> NoteNotFinite(const Side& side, const ProbeRows& rows,
                                          std::span<const int64_t> selected) {
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t broken, FindNotFinite(*side.features));
  if (broken < 0) return "";
  return absl::StrCat("a hidden state is not finite, in passage '", rows.passages[selected[broken]],
                      "'");
}

void Score(const Side& validation, std::span<const int> predictions, const ProbeOptions& options,
           const ProbePlan& plan, ProbeFit* fit) {
  const F1Scores scores =
      ScoreF1(validation.classes, predictions, static_cast<int>(plan.fitted.size()),
              validation.clusters, {options.bootstrap_draws, options.seed});
  fit->macro_f1 = scores.macro;
  for (size_t c = 0; c < plan.fitted.size(); ++c) {
    fit->tags[plan.fitted[c]].f1 = scores.classes[c];
  }
}

}  // namespace

absl::StatusOr<ProbePlan> PlanProbe(const ProbeRows& rows, const ProbeOptions& options) {
  assert(rows.tags.size() == rows.passages.size());
  KVSCOPE_RETURN_IF_ERROR(CheckOptions(options));
  ProbePlan plan;
  plan.tags = ListTags(rows, options.min_tag_rows);
  AssignClasses(rows, &plan);
  if (plan.fitted.size() >= 2) {
    plan.split = SplitByPassage(plan.classes, rows.passages, options.train_share, options.seed);
    LeaveOutOneSided(rows, &plan);
  }
  if (plan.fitted.size() < 2) plan.note = WhyNothing(plan);
  return plan;
}

absl::StatusOr<ProbeFit> FitProbe(const FeatureSource& features, const ProbeRows& rows,
                                  const ProbePlan& plan, const ProbeOptions& options) {
  KVSCOPE_RETURN_IF_ERROR(CheckOptions(options));
  assert(features.rows() == static_cast<int64_t>(rows.tags.size()));
  ProbeFit fit;
  fit.tags = plan.tags;
  fit.note = plan.note;
  if (!fit.note.empty()) return fit;

  const Split& split = plan.split;
  KVSCOPE_ASSIGN_OR_RETURN(const Side train,
                           TakeSide(features, rows, plan, split.train, options.in_memory_bytes));
  KVSCOPE_ASSIGN_OR_RETURN(const Side validation, TakeSide(features, rows, plan, split.validation,
                                                           options.in_memory_bytes));
  fit.train_count = static_cast<int64_t>(split.train.size());
  fit.validation_count = static_cast<int64_t>(split.validation.size());
  fit.train_passages = CountClusters(train.clusters);
  fit.validation_passages = CountClusters(validation.clusters);
  KVSCOPE_ASSIGN_OR_RETURN(fit.note, NoteNotFinite(train, rows, split.train));
  if (fit.note.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(fit.note, NoteNotFinite(validation, rows, split.validation));
  }
  if (!fit.note.empty()) return fit;

  KVSCOPE_ASSIGN_OR_RETURN(const SoftmaxModel model,
                           FitSoftmax(*train.features, train.classes,
                                      static_cast<int>(plan.fitted.size()), options.softmax));
  fit.evaluations = model.evaluations;
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<int> predictions,
                           Predict(model, *validation.features));
  Score(validation, predictions, options, plan, &fit);
  fit.note = LeftOut(plan);
  if (!model.converged) {
    absl::StrAppend(&fit.note, fit.note.empty() ? "" : "; ", "the fit was stopped after ",
                    model.evaluations, " passes at a gradient of ", model.gradient_max);
  }
  return fit;
}

}  // namespace kvscope::metrics
