#include "services/client/cli/sweep_answers.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "services/client/cli/cells.h"
#include "services/client/cli/model_labels.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

constexpr float kUndefined = std::numeric_limits<float>::quiet_NaN();

// Numbers texts in the order in which they first come.
class Numbers {
 public:
  // The text's number, and whether it is new.
  std::pair<int32_t, bool> Of(const std::string& text) {
    const auto [at, added] = numbers_.try_emplace(text, static_cast<int32_t>(numbers_.size()));
    return {at->second, added};
  }
  int32_t count() const { return static_cast<int32_t>(numbers_.size()); }

 private:
  absl::flat_hash_map<std::string, int32_t> numbers_;
};

class Collector {
 public:
  explicit Collector(const v1::Sweep& sweep) : models_(ModelsOf(sweep)) {}

  void Add(const v1::AnswerRow& row) {
    CacheBytes& cache = answers_.cache[row.compression_ratio()];
    cache.kept += static_cast<double>(row.kept_bytes());
    cache.full += static_cast<double>(row.full_bytes());
    ++cache.answers;
    const std::string part = models_.Part(row.dataset(), row.model());
    CellAnswers& cell =
        answers_.cells[{part, RegimeText(row.regime()), row.press(), row.compression_ratio()}];
    const v1::AnswerMetrics& m = row.metrics();
    cell.answers.push_back({
        .passage = passages_[row.dataset()].Of(row.passage_id()).first,
        .question = Question(part, row),
        .f1 = static_cast<float>(m.f1()),
        .ger = m.has_ger() ? static_cast<float>(m.ger()) : kUndefined,
        .consensus = m.has_consensus_mean() ? static_cast<float>(m.consensus_mean()) : kUndefined,
        .outcome = static_cast<uint8_t>(m.outcome()),
    });
    if (m.has_routes()) cell.routes.push_back(Route(m.routes()));
  }

  SweepAnswers Take() {
    for (auto& [key, cell] : answers_.cells) {
      std::sort(cell.answers.begin(), cell.answers.end(),
                [](const AnswerPoint& a, const AnswerPoint& b) {
                  return std::pair(a.passage, a.question) < std::pair(b.passage, b.question);
                });
    }
    for (auto& [name, part] : answers_.parts) part.passages = passages_[part.dataset].count();
    return std::move(answers_);
  }

 private:
  struct PartNames {
    Numbers questions, tags;
  };

  int32_t Question(const std::string& part, const v1::AnswerRow& row) {
    PartNames& names = parts_[part];
    const v1::Question& question = row.question();
    const auto [number, added] = names.questions.Of(absl::StrCat(
        row.passage_id(), "\n", question.question_id(), "\n", row.metrics().question_index()));
    if (!added) return number;
    AnswerPart& out = answers_.parts[part];
    out.dataset = row.dataset();
    if (models_.several()) out.model = models_.Of(row.model());
    auto& tags = out.tags.emplace_back();
    const std::string values[] = {question.direction(), question.answer_type(),
                                  question.question_type(), std::to_string(question.hop())};
    for (size_t i = 0; i < tags.size(); ++i) {
      const auto [tag, is_new] = names.tags.Of(values[i]);
      if (is_new) out.tag_values.push_back(values[i]);
      tags[i] = tag;
    }
    return number;
  }

  static RoutePoint Route(const v1::Routes& routes) {
    return {
        .reached_defined = routes.as_defined().reached(),
        .reached_computed = routes.as_computed().reached(),
        .disjoint_defined = routes.as_defined().disjoint_count(),
        .disjoint_computed = routes.as_computed().disjoint_count(),
        .length_defined = routes.as_defined().shortest(),
        .bound = routes.as_defined().has_reach_bound()
                     ? static_cast<float>(routes.as_defined().reach_bound())
                     : kUndefined,
    };
  }

  ModelLabels models_;
  std::map<std::string, Numbers> passages_;  // by data set
  std::map<std::string, PartNames> parts_;
  SweepAnswers answers_;
};

}  // namespace

absl::StatusOr<SweepAnswers> ReadSweepAnswers(v1::OrchestratorService::Stub& stub,
                                              const v1::Sweep& sweep) {
  v1::StreamAnswersRequest request;
  request.set_sweep(sweep.id());
  Collector collector(sweep);
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::StreamContext context;
    const auto reader = stub.StreamAnswers(&context, request);
    v1::AnswerRows message;
    while (reader->Read(&message)) {
      for (const v1::AnswerRow& row : message.rows()) collector.Add(row);
    }
    return rpc::FromGrpc(reader->Finish());
  }));
  return collector.Take();
}

}  // namespace kvscope::cli
