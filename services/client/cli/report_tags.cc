#include "services/client/cli/report_tags.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "services/client/cli/cells.h"
#include "services/client/cli/model_labels.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

using orchestrator::ReportTagRow;

std::set<double> ShownRatios(const v1::SweepSpec& spec) {
  std::vector<double> ratios(spec.ratios().begin(), spec.ratios().end());
  std::sort(ratios.begin(), ratios.end());
  std::set<double> shown;
  const size_t last = ratios.size() - 1;
  const size_t steps = std::min<size_t>(last, kMaxTagRatios - 1);
  for (size_t i = 0; i <= steps; ++i) shown.insert(ratios[steps == 0 ? 0 : i * last / steps]);
  return shown;
}

// Groups of crossed tags, merged to one row for each value of a single tag.
class TagRows {
 public:
  explicit TagRows(const ModelLabels& models) : models_(models) {}

  void Add(const v1::Cell& cell) {
    for (int tag = 0; tag < cell.tags_size(); ++tag) {
      ReportTagRow& row = rows_[{models_.Part(cell.dataset(), cell.model()), cell.regime(),
                                 cell.press(), cell.compression_ratio(), tag, cell.tags(tag)}];
      const auto answers = static_cast<double>(cell.answer_count());
      row.answers += cell.answer_count();
      row.f1 += cell.f1() * answers;
      row.hallucination_rate += cell.hallucination_rate() * answers;
      row.unknown_rate += cell.unknown_rate() * answers;
    }
  }

  std::vector<ReportTagRow> Means() const {
    std::vector<ReportTagRow> means;
    means.reserve(rows_.size());
    for (const auto& [key, sums] : rows_) {
      const auto& [dataset, regime, press, ratio, tag, value] = key;
      const auto answers = static_cast<double>(sums.answers);
      means.push_back({.dataset = dataset,
                       .regime = RegimeText(static_cast<v1::Regime>(regime)),
                       .press = press,
                       .ratio = ratio,
                       .tag = std::string(kTagNames[tag]),
                       .value = value,
                       .answers = sums.answers,
                       .f1 = sums.f1 / answers,
                       .hallucination_rate = sums.hallucination_rate / answers,
                       .unknown_rate = sums.unknown_rate / answers});
    }
    return means;
  }

 private:
  using Key = std::tuple<std::string, int, std::string, double, int, std::string>;
  const ModelLabels& models_;
  std::map<Key, ReportTagRow> rows_;  // sums
};

}  // namespace

absl::Status ReadTagRows(v1::OrchestratorService::Stub& stub, const v1::Sweep& sweep,
                         orchestrator::ReportInput& input) {
  if (sweep.spec().ratios().empty()) return absl::OkStatus();
  const std::set<double> shown = ShownRatios(sweep.spec());
  const ModelLabels models(ModelsOf(sweep));
  TagRows rows(models);
  const std::vector<std::string> tags(std::begin(kTagNames), std::end(kTagNames));
  const absl::Status status = ForEachCell(stub, sweep.id(), tags, [&](v1::Cell&& cell) {
    if (shown.contains(cell.compression_ratio())) rows.Add(cell);
  });
  if (absl::IsResourceExhausted(status)) {  // a user's data may have a tag a question
    input.no_tags = "the tags have too many different values";
    return absl::OkStatus();
  }
  KVSCOPE_RETURN_IF_ERROR(status);
  input.tag_rows = rows.Means();
  return absl::OkStatus();
}

}  // namespace kvscope::cli
