#include "services/client/cli/cells.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <ostream>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "services/client/cli/model_labels.h"
#include "services/client/cli/terminal.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

// A mean over parts of different size; undefined while nothing was added.
class WeightedMean {
 public:
  void Add(double value, int64_t weight) {
    sum_ += value * static_cast<double>(weight);
    weight_ += weight;
  }
  bool defined() const { return weight_ > 0; }
  double mean() const { return sum_ / static_cast<double>(weight_); }

 private:
  double sum_ = 0;
  int64_t weight_ = 0;
};

// What is merged of a cell, and by which count.
struct MergedField {
  bool (v1::Cell::*has)() const;
  double (v1::Cell::*get)() const;
  void (v1::Cell::*set)(double);
  bool by_ger_count;
};

constexpr MergedField kMerged[] = {
    {&v1::Cell::has_f1, &v1::Cell::f1, &v1::Cell::set_f1, false},
    {&v1::Cell::has_exact, &v1::Cell::exact, &v1::Cell::set_exact, false},
    {&v1::Cell::has_hallucination_rate, &v1::Cell::hallucination_rate,
     &v1::Cell::set_hallucination_rate, false},
    {&v1::Cell::has_unknown_rate, &v1::Cell::unknown_rate, &v1::Cell::set_unknown_rate, false},
    {&v1::Cell::has_ger, &v1::Cell::ger, &v1::Cell::set_ger, true},
    {&v1::Cell::has_ger_layer_mean, &v1::Cell::ger_layer_mean, &v1::Cell::set_ger_layer_mean, true},
    {&v1::Cell::has_eviction_rate, &v1::Cell::eviction_rate, &v1::Cell::set_eviction_rate, false},
    {&v1::Cell::has_evicted_share, &v1::Cell::evicted_share, &v1::Cell::set_evicted_share, false},
    {&v1::Cell::has_consensus_mean, &v1::Cell::consensus_mean, &v1::Cell::set_consensus_mean,
     false},
    {&v1::Cell::has_agreement_max, &v1::Cell::agreement_max, &v1::Cell::set_agreement_max, false},
    {&v1::Cell::has_kept_ratio, &v1::Cell::kept_ratio, &v1::Cell::set_kept_ratio, false},
};
constexpr size_t kMergedCount = std::size(kMerged);

template <typename Field>
std::optional<double> Optional(const v1::Cell& cell, bool (v1::Cell::*has)() const, Field get) {
  return (cell.*has)() ? std::optional<double>((cell.*get)()) : std::nullopt;
}

}  // namespace

absl::Status ForEachCell(v1::OrchestratorService::Stub& stub, const std::string& sweep,
                         const std::vector<std::string>& tags,
                         const std::function<void(v1::Cell&&)>& take) {
  v1::ListCellsRequest request;
  request.set_sweep(sweep);
  request.set_page_size(1000);
  for (const std::string& tag : tags) request.add_group_by(tag);
  do {
    v1::ListCellsResponse response;
    KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
      rpc::UnaryContext context;
      return rpc::FromGrpc(stub.ListCells(&context, request, &response));
    }));
    for (auto& cell : *response.mutable_cells()) take(std::move(cell));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Cell>> FetchCells(v1::OrchestratorService::Stub& stub,
                                                 const std::string& sweep,
                                                 const std::vector<std::string>& tags) {
  std::vector<v1::Cell> cells;
  const absl::Status status = ForEachCell(
      stub, sweep, tags, [&cells](v1::Cell&& cell) { cells.push_back(std::move(cell)); });
  if (!status.ok()) return status;
  return cells;
}

std::vector<v1::Cell> MergeDatasets(const std::vector<v1::Cell>& cells) {
  using Key = std::tuple<std::string, int, std::string, double>;
  std::map<Key, size_t> place;
  std::vector<v1::Cell> merged;
  std::vector<std::vector<WeightedMean>> means;
  for (const v1::Cell& cell : cells) {
    const Key key{cell.model(), cell.regime(), cell.press(), cell.compression_ratio()};
    const auto [found, added] = place.try_emplace(key, merged.size());
    if (added) {
      v1::Cell& fresh = merged.emplace_back();
      fresh.set_model(cell.model());
      fresh.set_regime(cell.regime());
      fresh.set_press(cell.press());
      fresh.set_compression_ratio(cell.compression_ratio());
      means.emplace_back(kMergedCount);
    }
    v1::Cell& into = merged[found->second];
    into.set_answer_count(into.answer_count() + cell.answer_count());
    into.set_ger_count(into.ger_count() + cell.ger_count());
    for (size_t i = 0; i < kMergedCount; ++i) {
      if (!(cell.*kMerged[i].has)()) continue;
      means[found->second][i].Add((cell.*kMerged[i].get)(),
                                  kMerged[i].by_ger_count ? cell.ger_count() : cell.answer_count());
    }
  }
  for (size_t row = 0; row < merged.size(); ++row) {
    for (size_t i = 0; i < kMergedCount; ++i) {
      if (means[row][i].defined()) (merged[row].*kMerged[i].set)(means[row][i].mean());
    }
  }
  return merged;
}

void PrintCells(const std::vector<v1::Cell>& cells, bool with_dataset, std::ostream& out,
                const std::vector<std::string>& tags) {
  std::vector<std::string> header = {"regime",   "press",         "ratio",    "answers",
                                     "F1",       "halluc.",       "unkn.",    "GER",
                                     "eviction", "evicted share", "consensus"};
  const ModelLabels models(cells);
  if (with_dataset) header.insert(header.begin(), "dataset");
  if (models.several()) header.insert(header.begin(), "model");
  const size_t texts = 2 + size_t{with_dataset} + size_t{models.several()};
  header.insert(header.begin() + static_cast<ptrdiff_t>(texts), tags.begin(), tags.end());
  Table table(header, texts + tags.size());
  std::string group;
  for (const v1::Cell& cell : cells) {
    const std::string own =
        absl::StrCat(cell.model(), "\n", cell.regime(), "\n", cell.press(), "\n", cell.dataset());
    if (!group.empty() && own != group) table.AddRule();
    group = own;
    std::vector<std::string> row = {
        RegimeText(cell.regime()),
        cell.press(),
        NumberText(cell.compression_ratio()),
        Thousands(cell.answer_count()),
        Decimal(Optional(cell, &v1::Cell::has_f1, &v1::Cell::f1)),
        Decimal(Optional(cell, &v1::Cell::has_hallucination_rate, &v1::Cell::hallucination_rate)),
        Decimal(Optional(cell, &v1::Cell::has_unknown_rate, &v1::Cell::unknown_rate)),
        Decimal(Optional(cell, &v1::Cell::has_ger, &v1::Cell::ger)),
        Decimal(Optional(cell, &v1::Cell::has_eviction_rate, &v1::Cell::eviction_rate)),
        Decimal(Optional(cell, &v1::Cell::has_evicted_share, &v1::Cell::evicted_share)),
        Decimal(Optional(cell, &v1::Cell::has_consensus_mean, &v1::Cell::consensus_mean))};
    std::vector<std::string> own_tags(cell.tags().begin(), cell.tags().end());
    std::replace(own_tags.begin(), own_tags.end(), std::string(), std::string("-"));
    row.insert(row.begin() + 2, own_tags.begin(), own_tags.end());
    if (with_dataset) row.insert(row.begin(), cell.dataset());
    if (models.several()) row.insert(row.begin(), models.Of(cell.model()));
    table.AddRow(std::move(row));
  }
  table.Print(out);
}

std::string RegimeText(v1::Regime regime) {
  switch (regime) {
    case v1::AGNOSTIC:
      return "agnostic";
    case v1::AWARE:
      return "aware";
    case v1::AWARE_EACH:
      return "aware_each";
    default:
      return "unknown";
  }
}

std::string NumberText(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return std::string(text, end);
}

}  // namespace kvscope::cli
