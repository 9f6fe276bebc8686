#include "services/client/cli/answers.h"

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "services/client/cli/cells.h"
#include "services/client/cli/terminal.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::cli {
namespace {

// Keys in the order in which columns appear.
using Row = nlohmann::ordered_json;

std::string OutcomeText(v1::AnswerMetrics::Outcome outcome) {
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

// NaN stands for undefined within a per-layer list.
Row Layers(const google::protobuf::RepeatedField<double>& values) {
  if (values.empty()) return nullptr;
  Row list = Row::array();
  for (const double value : values) list.push_back(std::isnan(value) ? Row(nullptr) : Row(value));
  return list;
}

Row AnswerJson(const v1::AnswerRow& row) {
  const v1::AnswerMetrics& m = row.metrics();
  const auto maybe = [](bool has, double value) { return has ? Row(value) : Row(nullptr); };
  Row json;
  json["sweep_id"] = row.sweep_id();
  json["model"] = row.model();
  json["dataset"] = row.dataset();
  json["regime"] = RegimeText(row.regime());
  json["press"] = row.press();
  json["compression_ratio"] = row.compression_ratio();
  json["passage_id"] = row.passage_id();
  json["question_id"] = row.question().question_id();
  json["question"] = row.question().question();
  json["answer"] = row.answer();
  json["gold"] = row.question().answer();
  json["f1"] = m.f1();
  json["exact"] = m.exact();
  json["outcome"] = OutcomeText(m.outcome());
  json["direction"] = row.question().direction();
  json["answer_type"] = row.question().answer_type();
  json["question_type"] = row.question().question_type();
  json["hop"] = row.question().hop();
  json["ger"] = maybe(m.has_ger(), m.ger());
  json["ger_layer_mean"] = maybe(m.has_ger_layer_mean(), m.ger_layer_mean());
  json["eviction_rate"] = row.eviction_rate();
  json["evicted_share"] = row.evicted_share();
  json["consensus_mean"] = maybe(m.has_consensus_mean(), m.consensus_mean());
  json["agreement_max"] = maybe(m.has_agreement_max(), m.agreement_max());
  json["kept_ratio"] = row.kept_ratio();
  json["kept_bytes"] = row.kept_bytes();
  json["full_bytes"] = row.full_bytes();
  json["context_tokens"] = row.context_tokens();
  json["generated_tokens"] = row.generated_tokens();
  json["ended"] = row.ended();
  json["generated_consensus_mean"] =
      maybe(m.has_generated_consensus_mean(), m.generated_consensus_mean());
  json["generated_agreement_max"] =
      maybe(m.has_generated_agreement_max(), m.generated_agreement_max());
  json["answer_mass_mean"] = maybe(m.has_answer_mass_mean(), m.answer_mass_mean());
  json["ger_layer"] = Layers(m.ger_layer());
  json["consensus_layer"] = Layers(m.consensus_layer());
  json["agreement_layer"] = Layers(m.agreement_layer());
  return json;
}

Row CellJson(const v1::Cell& cell) {
  const auto maybe = [](bool has, double value) { return has ? Row(value) : Row(nullptr); };
  Row json;
  json["dataset"] = cell.dataset();
  json["regime"] = RegimeText(cell.regime());
  json["press"] = cell.press();
  json["compression_ratio"] = cell.compression_ratio();
  json["answer_count"] = cell.answer_count();
  json["f1"] = maybe(cell.has_f1(), cell.f1());
  json["exact"] = maybe(cell.has_exact(), cell.exact());
  json["hallucination_rate"] = maybe(cell.has_hallucination_rate(), cell.hallucination_rate());
  json["unknown_rate"] = maybe(cell.has_unknown_rate(), cell.unknown_rate());
  json["ger"] = maybe(cell.has_ger(), cell.ger());
  json["ger_count"] = cell.ger_count();
  json["ger_layer_mean"] = maybe(cell.has_ger_layer_mean(), cell.ger_layer_mean());
  json["eviction_rate"] = maybe(cell.has_eviction_rate(), cell.eviction_rate());
  json["evicted_share"] = maybe(cell.has_evicted_share(), cell.evicted_share());
  json["consensus_mean"] = maybe(cell.has_consensus_mean(), cell.consensus_mean());
  json["agreement_max"] = maybe(cell.has_agreement_max(), cell.agreement_max());
  json["kept_ratio"] = maybe(cell.has_kept_ratio(), cell.kept_ratio());
  json["consensus_layer"] = Layers(cell.consensus_layer());
  return json;
}

// A CSV field: quoted where it has to be (RFC 4180).
std::string CsvField(const Row& value) {
  if (value.is_null()) return "";
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') quoted += '"';
  }
  return quoted + '"';
}

void WriteCsv(const Row& row, bool keys, std::ostream& out) {
  bool first = true;
  for (const auto& [key, value] : row.items()) {
    out << (first ? "" : ",") << (keys ? key : CsvField(value));
    first = false;
  }
  out << "\r\n";
}

// Writes rows one by one: CSV with a header, or JSON lines. Bytes that are no UTF-8 become U+FFFD.
class RowWriter {
 public:
  RowWriter(bool csv, std::ostream& out) : csv_(csv), out_(out) {}
  void Write(const Row& row) {
    if (!csv_) {
      out_ << row.dump(-1, ' ', false, Row::error_handler_t::replace) << '\n';
      return;
    }
    if (!header_written_) WriteCsv(row, true, out_);
    header_written_ = true;
    WriteCsv(row, false, out_);
  }

 private:
  bool csv_;
  bool header_written_ = false;
  std::ostream& out_;
};

absl::Status Written(std::ostream& out) {
  out.flush();
  return out.good() ? absl::OkStatus()
                    : absl::ResourceExhaustedError("writing the rows failed: is the disk full?");
}

}  // namespace

absl::Status WriteAnswers(v1::OrchestratorService::Stub& stub, const std::string& sweep,
                          const std::string& format, std::ostream& out) {
  grpc::ClientContext context;
  v1::StreamAnswersRequest request;
  request.set_sweep(sweep);
  auto reader = stub.StreamAnswers(&context, request);
  Table table(
      {"dataset", "regime", "press", "question", "answer", "gold", "outcome", "ratio", "F1", "GER"},
      7);
  RowWriter writer(format == "csv", out);
  v1::AnswerRow row;
  while (out.good() && reader->Read(&row)) {
    if (format != "table") {
      writer.Write(AnswerJson(row));
      continue;
    }
    const v1::AnswerMetrics& m = row.metrics();
    table.AddRow({row.dataset(), RegimeText(row.regime()), row.press(), row.question().question(),
                  row.answer(), row.question().answer(), OutcomeText(m.outcome()),
                  NumberText(row.compression_ratio()), Decimal(m.f1()),
                  Decimal(m.has_ger() ? std::optional<double>(m.ger()) : std::nullopt)});
  }
  if (!out.good()) context.TryCancel();
  const grpc::Status status = reader->Finish();
  if (out.good() && !status.ok()) return rpc::FromGrpc(status);
  if (format == "table") table.Print(out);
  return Written(out);
}

absl::Status WriteCells(const std::vector<v1::Cell>& cells, const std::string& format,
                        std::ostream& out) {
  RowWriter writer(format == "csv", out);
  for (const v1::Cell& cell : cells) writer.Write(CellJson(cell));
  return Written(out);
}

}  // namespace kvscope::cli
