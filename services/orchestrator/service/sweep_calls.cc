#include "services/orchestrator/service/sweep_calls.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/service/catalog.h"
#include "services/orchestrator/service/sweep_models.h"
#include "services/orchestrator/service/validate.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kPageBytes = 1 << 20;  // a page ends early rather than exceed a message's limit
constexpr size_t kMaxGroupsAPoint = 2'000;  // they stay in one page
constexpr int kMaxPriority = 100;

// The same submission has the same id in every store, so that its rows are equal byte for byte.
std::string SweepId(const std::string& request_id, const std::string& spec_digest) {
  return Sha256Hex(absl::StrCat(request_id, "\n", spec_digest)).substr(0, 16);
}

// Two users may use one request id for different things.
std::string RequestOf(const rpc::Caller& caller, const std::string& request_id) {
  if (caller.name.empty() || request_id.empty()) return request_id;
  return absl::StrCat(caller.name, "\n", request_id);
}

absl::Status RefuseWhileDraining(const Desk& desk) {
  if (!desk.draining()) return absl::OkStatus();
  return absl::UnavailableError("the orchestrator is shutting down");
}

// What was done for whom: the line that leads from a client's request to its sweep.
void LogRequest(std::string_view what, const std::string& sweep_id, const std::string& request_id) {
  rpc::Log(rpc::LogLevel::kInfo, what, {{"sweep", sweep_id}, {"request", request_id}});
}

absl::Status Show(Desk& desk, const std::string& sweep, v1::Sweep& response) {
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord record, desk.store().FindSweep(sweep));
  KVSCOPE_ASSIGN_OR_RETURN(response, desk.Describe(record));
  return absl::OkStatus();
}

// Fills in what is left to defaults, and what is known of the data sets, so that equal sweeps have
// equal specs. Returns the data sets' rows.
absl::StatusOr<std::vector<int64_t>> Complete(Desk& desk, v1::SweepSpec& spec) {
  std::vector<int64_t> rows;
  std::set<std::string> names;
  for (int i = 0; i < spec.datasets_size(); ++i) {
    v1::Dataset& dataset = *spec.mutable_datasets(i);
    const std::string field = absl::StrCat("spec.datasets[", i, "]");
    absl::StatusOr<StoredDataset> stored = desk.store().FindDataset(dataset.digest());
    if (absl::IsNotFound(stored.status())) {
      return absl::NotFoundError(absl::StrCat(field, ".digest: no data set has the digest \"",
                                              absl::string_view(dataset.digest()).substr(0, 80),
                                              "\"; upload it first"));
    }
    if (!stored.ok()) return stored.status();
    rows.push_back(stored->id);
    const std::string name = dataset.name().empty() ? stored->name : dataset.name();
    dataset = ToProto(*stored);
    dataset.set_name(name);
    if (!names.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ".name: \"", name, "\" is there twice"));
    }
  }
  return rows;
}

int64_t CellCount(const v1::SweepSpec& spec) {
  return int64_t{ModelCount(spec)} * spec.datasets_size() * spec.regimes_size() *
         spec.presses_size() * spec.ratios_size();
}

absl::Status CheckPriority(const rpc::Caller& caller, int priority) {
  if (priority < -kMaxPriority || priority > kMaxPriority) {
    return absl::InvalidArgumentError(absl::StrCat("priority: is ", priority, ", allowed are -",
                                                   kMaxPriority, " to ", kMaxPriority));
  }
  if (priority <= 0 || caller.role == rpc::Role::kAdmin) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "priority: is ", priority, ", above 0 it is for admins, and ", caller.name, " is none"));
}

// What is somebody's, others may read but not change.
absl::Status CheckOwner(const rpc::Caller& caller, const SweepRecord& sweep) {
  if (caller.role == rpc::Role::kAdmin || caller.name == sweep.owner) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("sweep ", sweep.sweep_id, " is ",
                   sweep.owner.empty() ? "nobody's" : absl::StrCat(sweep.owner, "'s"),
                   ": beside them only admins may change it"));
}

void SetDefaults(v1::SweepSpec& spec) {
  if (spec.device().empty()) spec.set_device("auto");
  if (spec.dtype().empty()) spec.set_dtype("auto");
  if (spec.scoring().tokenizer().empty()) spec.mutable_scoring()->set_tokenizer("model");
}

v1::Cell::State StateOf(const SliceCounts& counts, bool cancelled) {
  if (counts.pending + counts.leased == 0 && counts.failed > 0) return v1::Cell::FAILED;
  if (counts.pending + counts.leased + counts.failed == 0 && counts.done > 0) {
    return v1::Cell::SUCCEEDED;
  }
  const bool begun = counts.leased + counts.done + counts.failed > 0;
  return begun && !cancelled ? v1::Cell::RUNNING : v1::Cell::PENDING;
}

// Where a page of cells stands: points (press, ratio) of one model on one data set in one regime.
struct PagePart {
  int model = 0;
  int dataset = 0;
  v1::Regime regime = v1::REGIME_UNSPECIFIED;
  PointRange points;

  GridSlice slice() const {
    return {.model_ordinal = model, .dataset_ordinal = dataset, .regime = RegimeText(regime)};
  }
};

// The slices of a sweep are in the order model, data set, regime.
PagePart PartOf(const v1::SweepSpec& spec, int64_t slice) {
  const int64_t of_model = int64_t{spec.datasets_size()} * spec.regimes_size();
  return {.model = static_cast<int>(slice / of_model),
          .dataset = static_cast<int>(slice % of_model / spec.regimes_size()),
          .regime = spec.regimes(static_cast<int>(slice % spec.regimes_size())),
          .points = {}};
}

absl::StatusOr<std::vector<CellSummary>> ReadSummaries(Desk& desk, const SweepRecord& sweep,
                                                       const PagePart& part,
                                                       const std::vector<Tag>& tags) {
  if (tags.empty()) return desk.store().SummarizeCells(sweep.row, part.slice());
  return desk.store().SummarizeTags(sweep.row, part.slice(), tags, part.points);
}

// The cells of each of the part's points, in order: one a point, those without answers too; with
// tags, one a group of answers.
absl::StatusOr<std::vector<std::vector<v1::Cell>>> ReadCells(Desk& desk, const SweepRecord& sweep,
                                                             const SweepProtos& protos,
                                                             const PagePart& part,
                                                             const std::vector<Tag>& tags) {
  const v1::SweepSpec& spec = protos.spec;
  KVSCOPE_ASSIGN_OR_RETURN(const SliceCounts counts,
                           desk.store().CountUnits(sweep.row, part.slice()));
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<CellSummary> summaries,
                           ReadSummaries(desk, sweep, part, tags));
  v1::Cell blank;
  blank.set_state(StateOf(counts, Ended(sweep.state)));
  blank.set_model(ModelName(protos, part.model));
  blank.set_dataset(spec.datasets(part.dataset).name());
  blank.set_regime(part.regime);
  const auto at = [&](int64_t point) {
    v1::Cell cell = blank;
    cell.set_press(spec.presses(static_cast<int>(point / spec.ratios_size())));
    cell.set_compression_ratio(spec.ratios(static_cast<int>(point % spec.ratios_size())));
    return cell;
  };
  std::vector<std::vector<v1::Cell>> cells(
      static_cast<size_t>(part.points.end - part.points.first));
  if (tags.empty()) {
    for (size_t i = 0; i < cells.size(); ++i) {
      cells[i].push_back(at(part.points.first + static_cast<int64_t>(i)));
    }
  }
  for (const CellSummary& summary : summaries) {
    const int64_t point = int64_t{summary.press} * spec.ratios_size() + summary.ratio;
    if (point < part.points.first || point >= part.points.end) continue;
    std::vector<v1::Cell>& of_point = cells[static_cast<size_t>(point - part.points.first)];
    if (!tags.empty()) of_point.push_back(at(point));
    FillMeans(summary, of_point.back());
    if (of_point.size() > kMaxGroupsAPoint) {
      return absl::ResourceExhaustedError(
          absl::StrCat("group_by: the answers of one cell have more than ", kMaxGroupsAPoint,
                       " different tags; ask for fewer tags"));
    }
  }
  return cells;
}

}  // namespace

absl::Status CreateSweep(Desk& desk, const rpc::Caller& caller,
                         const v1::CreateSweepRequest& request, v1::Sweep& response) {
  KVSCOPE_RETURN_IF_ERROR(RefuseWhileDraining(desk));
  if (request.request_id().empty()) {
    return absl::InvalidArgumentError("request_id: is missing");
  }
  KVSCOPE_RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  v1::SweepSpec spec = request.spec();
  SetDefaults(spec);
  KVSCOPE_RETURN_IF_ERROR(ValidateSpec(spec));
  KVSCOPE_RETURN_IF_ERROR(CheckPriority(caller, request.priority()));
  KVSCOPE_RETURN_IF_ERROR(CheckModelNames(desk.models_dir(), spec));
  KVSCOPE_ASSIGN_OR_RETURN(std::vector<int64_t> datasets, Complete(desk, spec));
  std::string bytes = Serialize(spec);
  const std::string digest = Sha256Hex(bytes);
  const std::string request_id = RequestOf(caller, request.request_id());
  KVSCOPE_ASSIGN_OR_RETURN(
      const SweepRecord sweep,
      desk.store().CreateSweep({.sweep_id = SweepId(request_id, digest),
                                .name = spec.name(),
                                .request_id = request_id,
                                .spec = std::move(bytes),
                                .spec_digest = digest,
                                .device = spec.device(),
                                .press_count = spec.presses_size(),
                                .ratio_count = spec.ratios_size(),
                                .datasets = std::move(datasets),
                                .create_time_ms = absl::ToUnixMillis(desk.clock().Now()),
                                .owner = caller.name,
                                .priority = request.priority(),
                                .cells = CellCount(spec)},
                               desk.quotas()));
  desk.SweepCreated();
  LogRequest("sweep submitted", sweep.sweep_id, request.request_id());
  return Show(desk, sweep.sweep_id, response);
}

absl::Status CancelSweep(Desk& desk, const rpc::Caller& caller,
                         const v1::CancelSweepRequest& request, v1::Sweep& response) {
  KVSCOPE_RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, desk.store().FindSweep(request.sweep()));
  KVSCOPE_RETURN_IF_ERROR(CheckOwner(caller, sweep));
  KVSCOPE_RETURN_IF_ERROR(desk.Cancel(sweep.sweep_id, RequestOf(caller, request.request_id())));
  LogRequest("sweep to be cancelled", sweep.sweep_id, request.request_id());
  return Show(desk, sweep.sweep_id, response);
}

absl::Status ResumeSweep(Desk& desk, const rpc::Caller& caller,
                         const v1::ResumeSweepRequest& request, v1::Sweep& response) {
  KVSCOPE_RETURN_IF_ERROR(RefuseWhileDraining(desk));
  KVSCOPE_RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, desk.store().FindSweep(request.sweep()));
  KVSCOPE_RETURN_IF_ERROR(CheckOwner(caller, sweep));
  KVSCOPE_RETURN_IF_ERROR(desk.Resume(sweep.sweep_id, RequestOf(caller, request.request_id())));
  LogRequest("sweep to be resumed", sweep.sweep_id, request.request_id());
  return Show(desk, sweep.sweep_id, response);
}

absl::Status DeleteSweep(Desk& desk, const rpc::Caller& caller,
                         const v1::DeleteSweepRequest& request) {
  KVSCOPE_RETURN_IF_ERROR(ValidateRequestId(request.request_id()));
  const absl::StatusOr<SweepRecord> sweep = desk.store().FindSweep(request.sweep());
  if (!sweep.ok() && !absl::IsNotFound(sweep.status())) return sweep.status();
  if (sweep.ok()) KVSCOPE_RETURN_IF_ERROR(CheckOwner(caller, *sweep));
  // A repeated request finds no sweep any more; the store knows whether it deleted it.
  const std::string id = sweep.ok() ? sweep->sweep_id : request.sweep();
  KVSCOPE_RETURN_IF_ERROR(desk.Delete(id, RequestOf(caller, request.request_id())));
  LogRequest("sweep deleted", id, request.request_id());
  return absl::OkStatus();
}

absl::Status GetSweep(Desk& desk, const v1::GetSweepRequest& request, v1::Sweep& response) {
  return Show(desk, request.sweep(), response);
}

absl::Status ListSweeps(Desk& desk, const v1::ListSweepsRequest& request,
                        v1::ListSweepsResponse& response) {
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t size, PageSize(request.page_size()));
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t before, PageToken(request.page_token(), 0));
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<SweepRecord> sweeps,
                           desk.store().ListSweeps(before, size + 1));
  size_t bytes = 0;
  for (const SweepRecord& sweep : sweeps) {
    if (response.sweeps_size() == size || bytes > kPageBytes) {
      response.set_next_page_token(absl::StrCat(sweep.row + 1));
      break;
    }
    KVSCOPE_ASSIGN_OR_RETURN(*response.add_sweeps(), desk.Describe(sweep));
    bytes += response.sweeps().rbegin()->ByteSizeLong();
  }
  return absl::OkStatus();
}

absl::Status ListCells(Desk& desk, const v1::ListCellsRequest& request,
                       v1::ListCellsResponse& response) {
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t size, PageSize(request.page_size()));
  KVSCOPE_ASSIGN_OR_RETURN(int64_t next, PageToken(request.page_token(), 0));
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, desk.store().FindSweep(request.sweep()));
  KVSCOPE_ASSIGN_OR_RETURN(const SweepProtos protos, ReadProtos(sweep));
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<Tag> tags, ValidateTags(request));
  const v1::SweepSpec& spec = protos.spec;
  const int64_t points = int64_t{spec.presses_size()} * spec.ratios_size();
  const int64_t total = CellCount(spec);
  const int64_t end = std::min(total, next + size);  // a point may have several cells, with tags
  size_t bytes = 0;
  while (next < end && bytes <= kPageBytes) {
    const int64_t before = next / points * points;
    PagePart part = PartOf(spec, next / points);
    part.points = {.ratio_count = spec.ratios_size(),
                   .first = next - before,
                   .end = std::min(points, end - before)};
    KVSCOPE_ASSIGN_OR_RETURN(auto cells, ReadCells(desk, sweep, protos, part, tags));
    for (std::vector<v1::Cell>& of_point : cells) {
      if (bytes > kPageBytes) break;
      for (v1::Cell& cell : of_point) {
        bytes += cell.ByteSizeLong();
        *response.add_cells() = std::move(cell);
      }
      ++next;
    }
  }
  if (next < total) response.set_next_page_token(absl::StrCat(next));
  return absl::OkStatus();
}

absl::Status ListUnits(Desk& desk, const v1::ListUnitsRequest& request,
                       v1::ListUnitsResponse& response) {
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t size, PageSize(request.page_size()));
  KVSCOPE_ASSIGN_OR_RETURN(const int64_t first, PageToken(request.page_token(), 0));
  KVSCOPE_ASSIGN_OR_RETURN(const SweepRecord sweep, desk.store().FindSweep(request.sweep()));
  KVSCOPE_ASSIGN_OR_RETURN(const SweepProtos protos, ReadProtos(sweep));
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<UnitRecord> units,
                           desk.store().ListUnits(sweep.row, first - 1, size + 1));
  size_t bytes = 0;
  for (const UnitRecord& unit : units) {
    if (response.units_size() == size || bytes > kPageBytes) {
      response.set_next_page_token(absl::StrCat(unit.seq));
      break;
    }
    *response.add_units() = ToProto(unit, protos);
    bytes += response.units().rbegin()->ByteSizeLong();
  }
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator
