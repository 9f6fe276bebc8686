#include "services/client/cli/answers.h"

#include <future>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "services/client/cli/cells.h"
#include "services/client/cli/model_labels.h"
#include "services/client/cli/results_row.h"
#include "services/client/cli/terminal.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

std::string_view OutcomeText(v1::AnswerMetrics::Outcome outcome) {
  switch (outcome) {
    case v1::AnswerMetrics::CORRECT:
      return "correct";
    case v1::AnswerMetrics::PARTIAL:
      return "partial";
    case v1::AnswerMetrics::HALLUCINATION:
      return "hallucination";
    case v1::AnswerMetrics::UNKNOWN:
      return "unknown";
    default:
      return "unspecified";
  }
}

std::optional<double> Maybe(bool has, double value) {
  return has ? std::optional<double>(value) : std::nullopt;
}

// Empty where the passage's graph was not captured or the answer stands nowhere.
template <typename Row>
void TellRoutes(const v1::AnswerMetrics& metrics, Row& row) {
  const bool measured = metrics.has_routes();
  const v1::Routes& routes = metrics.routes();
  const auto count = [measured](int32_t value) { return Maybe(measured, value); };
  row.Field("reached_defined", count(routes.as_defined().reached()));
  row.Field("reached_computed", count(routes.as_computed().reached()));
  row.Field("routes_defined", count(routes.as_defined().disjoint_count()));
  row.Field("routes_computed", count(routes.as_computed().disjoint_count()));
  row.Field("reachable_defined", count(routes.as_defined().reachable_count()));
  row.Field("reachable_computed", count(routes.as_computed().reachable_count()));
  row.Field("route_length_defined",
            Maybe(routes.as_defined().reached(), routes.as_defined().shortest()));
  row.Field("route_length_computed",
            Maybe(routes.as_computed().reached(), routes.as_computed().shortest()));
  row.Field("reach_bound_defined",
            Maybe(routes.as_defined().has_reach_bound(), routes.as_defined().reach_bound()));
  row.Field("reach_bound_computed",
            Maybe(routes.as_computed().has_reach_bound(), routes.as_computed().reach_bound()));
  row.Field("must_reroute_layer", routes.must_reroute_layer());
}

// The fields in the order in which columns appear.
template <typename Row>
void TellAnswer(const v1::AnswerRow& answer, Row& row) {
  const v1::AnswerMetrics& m = answer.metrics();
  const v1::Question& question = answer.question();
  row.Field("sweep_id", std::string_view(answer.sweep_id()));
  row.Field("model", std::string_view(answer.model()));
  row.Field("dataset", std::string_view(answer.dataset()));
  row.Field("regime", std::string_view(RegimeText(answer.regime())));
  row.Field("press", std::string_view(answer.press()));
  row.Field("compression_ratio", answer.compression_ratio());
  row.Field("passage_id", std::string_view(answer.passage_id()));
  row.Field("question_id", std::string_view(question.question_id()));
  row.Field("question", std::string_view(question.question()));
  row.Field("answer", std::string_view(answer.answer()));
  row.Field("gold", std::string_view(question.answer()));
  row.Field("f1", m.f1());
  row.Field("exact", m.exact());
  row.Field("outcome", OutcomeText(m.outcome()));
  row.Field("direction", std::string_view(question.direction()));
  row.Field("answer_type", std::string_view(question.answer_type()));
  row.Field("question_type", std::string_view(question.question_type()));
  row.Field("hop", int64_t{question.hop()});
  row.Field("ger", Maybe(m.has_ger(), m.ger()));
  row.Field("ger_layer_mean", Maybe(m.has_ger_layer_mean(), m.ger_layer_mean()));
  row.Field("eviction_rate", answer.eviction_rate());
  row.Field("evicted_share", answer.evicted_share());
  row.Field("consensus_mean", Maybe(m.has_consensus_mean(), m.consensus_mean()));
  row.Field("agreement_max", Maybe(m.has_agreement_max(), m.agreement_max()));
  row.Field("kept_ratio", answer.kept_ratio());
  row.Field("kept_bytes", int64_t{answer.kept_bytes()});
  row.Field("full_bytes", int64_t{answer.full_bytes()});
  row.Field("context_tokens", int64_t{answer.context_tokens()});
  row.Field("generated_tokens", int64_t{answer.generated_tokens()});
  row.Field("ended", answer.ended());
  row.Field("generated_consensus_mean",
            Maybe(m.has_generated_consensus_mean(), m.generated_consensus_mean()));
  row.Field("generated_agreement_max",
            Maybe(m.has_generated_agreement_max(), m.generated_agreement_max()));
  row.Field("answer_mass_mean", Maybe(m.has_answer_mass_mean(), m.answer_mass_mean()));
  row.Field("ger_layer", m.ger_layer());
  row.Field("consensus_layer", m.consensus_layer());
  row.Field("agreement_layer", m.agreement_layer());
  TellRoutes(m, row);
}

// `cell` has as many tags as there are names.
template <typename Row>
void TellCell(const v1::Cell& cell, const std::vector<std::string>& tags, Row& row) {
  row.Field("model", std::string_view(cell.model()));
  row.Field("dataset", std::string_view(cell.dataset()));
  row.Field("regime", std::string_view(RegimeText(cell.regime())));
  row.Field("press", std::string_view(cell.press()));
  row.Field("compression_ratio", cell.compression_ratio());
  for (size_t i = 0; i < tags.size(); ++i) {
    const std::string& value = cell.tags(static_cast<int>(i));
    int64_t number = 0;
    if (tags[i] == "hop" && absl::SimpleAtoi(value, &number)) {
      row.Field(tags[i], number);
    } else {
      row.Field(tags[i], std::string_view(value));
    }
  }
  row.Field("answer_count", int64_t{cell.answer_count()});
  row.Field("f1", Maybe(cell.has_f1(), cell.f1()));
  row.Field("exact", Maybe(cell.has_exact(), cell.exact()));
  row.Field("hallucination_rate", Maybe(cell.has_hallucination_rate(), cell.hallucination_rate()));
  row.Field("unknown_rate", Maybe(cell.has_unknown_rate(), cell.unknown_rate()));
  row.Field("ger", Maybe(cell.has_ger(), cell.ger()));
  row.Field("ger_count", int64_t{cell.ger_count()});
  row.Field("ger_layer_mean", Maybe(cell.has_ger_layer_mean(), cell.ger_layer_mean()));
  row.Field("eviction_rate", Maybe(cell.has_eviction_rate(), cell.eviction_rate()));
  row.Field("evicted_share", Maybe(cell.has_evicted_share(), cell.evicted_share()));
  row.Field("consensus_mean", Maybe(cell.has_consensus_mean(), cell.consensus_mean()));
  row.Field("agreement_max", Maybe(cell.has_agreement_max(), cell.agreement_max()));
  row.Field("kept_ratio", Maybe(cell.has_kept_ratio(), cell.kept_ratio()));
  row.Field("consensus_layer", cell.consensus_layer());
  row.Field("agreement_layer", cell.agreement_layer());
  row.Field("ger_layer", cell.ger_layer());
  row.Field("eviction_rate_layer", cell.eviction_rate_layer());
  row.Field("evicted_share_layer", cell.evicted_share_layer());
}

// Rows as text: CSV with a header, or JSON lines. They reach the stream in blocks, each while the
// next one is made: nobody else may use the stream before Finish.
class RowWriter {
 public:
  RowWriter(bool csv, std::ostream& out) : csv_(csv), out_(out) {}

  void Write(const v1::AnswerRow& answer) {
    WriteAs([&](auto& row) { TellAnswer(answer, row); });
  }
  void Write(const v1::Cell& cell, const std::vector<std::string>& tags) {
    WriteAs([&](auto& row) { TellCell(cell, tags, row); });
  }
  // Whether all has reached the stream, up to a block that is on its way.
  bool good() const { return good_; }
  void Finish() {
    Flush();
    Wait();
  }

 private:
  static constexpr size_t kBlockBytes = 1 << 20;

  void Flush() {
    Wait();
    std::swap(text_, writing_);
    text_.clear();
    written_ = std::async(std::launch::async, [this] { out_ << writing_; });
  }
  void Wait() {
    if (written_.valid()) written_.get();
    good_ = out_.good();
  }

  template <typename Tell>
  void WriteAs(const Tell& tell) {
    if (csv_ && !header_written_) TellTo<HeaderRow>(tell);
    header_written_ = true;
    csv_ ? TellTo<CsvRow>(tell) : TellTo<JsonRow>(tell);
    if (text_.size() >= kBlockBytes) Flush();
  }

  template <typename Row, typename Tell>
  void TellTo(const Tell& tell) {
    Row row(text_);
    tell(row);
    row.End();
  }

  bool csv_;
  bool header_written_ = false;
  bool good_ = true;
  std::string text_, writing_;
  std::ostream& out_;
  std::future<void> written_;  // of writing_
};

absl::Status Written(std::ostream& out) {
  out.flush();
  return out.good() ? absl::OkStatus()
                    : absl::ResourceExhaustedError("writing the rows failed: is the disk full?");
}

absl::StatusOr<ModelLabels> ReadLabels(v1::OrchestratorService::Stub& stub,
                                       const std::string& sweep) {
  v1::GetSweepRequest request;
  request.set_sweep(sweep);
  v1::Sweep found;
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::UnaryContext context;
    return rpc::FromGrpc(stub.GetSweep(&context, request, &found));
  }));
  return ModelLabels(ModelsOf(found));
}

// The main columns; the model's where there are several.
class AnswerTable {
 public:
  explicit AnswerTable(const ModelLabels& models)
      : models_(models), table_(Header(models), models.several() ? 8 : 7) {}

  void Add(const v1::AnswerRow& row) {
    const v1::AnswerMetrics& m = row.metrics();
    std::vector<std::string> cells = {row.dataset(),
                                      RegimeText(row.regime()),
                                      row.press(),
                                      row.question().question(),
                                      row.answer(),
                                      row.question().answer(),
                                      std::string(OutcomeText(m.outcome())),
                                      NumberText(row.compression_ratio()),
                                      Decimal(m.f1()),
                                      Decimal(Maybe(m.has_ger(), m.ger()))};
    if (models_.several()) cells.insert(cells.begin(), models_.Of(row.model()));
    table_.AddRow(std::move(cells));
  }
  void Print(std::ostream& out) const { table_.Print(out); }

 private:
  static std::vector<std::string> Header(const ModelLabels& models) {
    std::vector<std::string> header = {"dataset", "regime",  "press", "question", "answer",
                                       "gold",    "outcome", "ratio", "F1",       "GER"};
    if (models.several()) header.insert(header.begin(), "model");
    return header;
  }

  ModelLabels models_;
  Table table_;
};

}  // namespace

absl::Status WriteAnswers(v1::OrchestratorService::Stub& stub, const std::string& sweep,
                          const std::string& format, std::ostream& out) {
  std::optional<AnswerTable> table;
  if (format == "table") {
    KVSCOPE_ASSIGN_OR_RETURN(const ModelLabels models, ReadLabels(stub, sweep));
    table.emplace(models);
  }
  v1::StreamAnswersRequest request;
  request.set_sweep(sweep);
  RowWriter writer(format == "csv", out);
  const absl::Status read = rpc::CallPatiently([&] {
    rpc::StreamContext context;
    const auto reader = stub.StreamAnswers(&context, request);
    v1::AnswerRows message;
    while (writer.good() && reader->Read(&message)) {
      for (const v1::AnswerRow& row : message.rows()) table ? table->Add(row) : writer.Write(row);
    }
    if (!writer.good()) context.TryCancel();
    return rpc::FromGrpc(reader->Finish());
  });
  writer.Finish();
  if (out.good()) KVSCOPE_RETURN_IF_ERROR(read);
  if (table) table->Print(out);
  return Written(out);
}

absl::Status WriteCells(const std::vector<v1::Cell>& cells, const std::string& format,
                        std::ostream& out, const std::vector<std::string>& tags) {
  RowWriter writer(format == "csv", out);
  for (const v1::Cell& cell : cells) writer.Write(cell, tags);
  writer.Finish();
  return Written(out);
}

}  // namespace kvscope::cli
