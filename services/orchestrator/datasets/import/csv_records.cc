#include "services/orchestrator/datasets/import/csv_records.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/line_reader.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

int NoSpace(unsigned char) { return 0; }  // spaces are part of a cell, says RFC 4180

}  // namespace

CsvRecords::State::State() {
  csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI);
  csv_set_space_func(&parser, NoSpace);
  csv_set_blk_size(&parser, kChunkBytes);  // its cell grows by this, so not byte by byte
}

CsvRecords::State::~State() { csv_free(&parser); }

CsvRecords::CsvRecords(std::string path)
    : path_(std::move(path)), file_(path_, std::ios::binary), state_(std::make_unique<State>()) {}

absl::StatusOr<CsvRecords> CsvRecords::Open(const std::string& path) {
  CsvRecords records(path);
  std::error_code error;
  if (!records.file_ || std::filesystem::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": no data set can be read there"));
  }
  std::string mark(kByteOrderMark.size(), '\0');
  records.file_.read(mark.data(), static_cast<std::streamsize>(mark.size()));
  if (mark != kByteOrderMark) {
    records.file_.clear();
    records.file_.seekg(0);
  }
  return records;
}

absl::StatusOr<std::optional<CsvRecord>> CsvRecords::Next() {
  std::string chunk;
  while (state_->ready.empty()) {
    if (file_.eof()) return std::nullopt;
    chunk.resize(kChunkBytes);
    file_.read(chunk.data(), kChunkBytes);
    if (!file_ && !file_.eof()) {
      return absl::DataLossError(absl::StrCat(path_, ": reading failed after line ", state_->line));
    }
    TakeChunk(std::string_view(chunk).substr(0, static_cast<size_t>(file_.gcount())));
    if (file_.eof()) Finish();
  }
  CsvRecord record = std::move(state_->ready.front());
  state_->ready.pop_front();
  return record;
}

void CsvRecords::TakeChunk(std::string_view chunk) {
  while (!chunk.empty()) {
    const size_t newline = chunk.find('\n');
    const size_t end = std::min(chunk.substr(0, newline).find('\r'), newline);
    const size_t size = std::min(end, chunk.size() - 1) + 1;
    TakePiece(chunk.substr(0, size));
    chunk.remove_prefix(size);
  }
}

void CsvRecords::TakePiece(std::string_view piece) {
  const bool ends_line = piece.back() == '\n' || piece.back() == '\r';
  const bool second_half = after_cr_ && piece == "\n";  // of CR LF: its line was counted
  after_cr_ = piece.back() == '\r';
  if (skipping_) {
    skipping_ = !ends_line;
  } else if (state_->in_record || !(piece == "\n" || piece == "\r")) {
    Feed(piece);
  }
  if (ends_line && !second_half) ++state_->line;
}

void CsvRecords::Feed(std::string_view piece) {
  State& state = *state_;
  if (!state.in_record) {
    state.in_record = true;
    state.record_line = state.line;
    state.record_bytes = 0;
  }
  state.record_bytes += piece.size();
  if (state.record_bytes > kMaxLineBytes) {
    Fail(Reason::kTooLong, absl::StrCat("the record is longer than ", kMaxLineBytes,
                                        " bytes, the longest allowed; is a quote not closed?"));
  } else if (csv_parse(&state.parser, piece.data(), piece.size(), TakeCell, EndRecord, &state) ==
             piece.size()) {
    return;
  } else {
    Fail(Reason::kMalformed,
         absl::StrCat("a quote is where none may be, on line ", state.line,
                      "; a cell with quotes must stand in quotes, its own doubled"));
  }
  skipping_ = piece.back() != '\n' && piece.back() != '\r';
}

void CsvRecords::Finish() {
  if (csv_fini(&state_->parser, TakeCell, EndRecord, state_.get()) != 0) {
    Fail(Reason::kMalformed, "a quoted cell is not closed before the file ends");
  }
}

void CsvRecords::Fail(Reason reason, std::string what) {
  std::deque<CsvRecord> ready = std::move(state_->ready);
  const int64_t line = state_->line;
  ready.push_back({state_->record_line, {}, Problem{reason, "", std::move(what)}});
  state_ = std::make_unique<State>();
  state_->ready = std::move(ready);
  state_->line = line;
}

void CsvRecords::TakeCell(void* cell, size_t size, void* state) {
  auto& cells = static_cast<State*>(state)->cells;
  cells.emplace_back();
  if (size > 0) cells.back().assign(static_cast<const char*>(cell), size);
}

void CsvRecords::EndRecord(int, void* state) {
  auto& self = *static_cast<State*>(state);
  self.in_record = false;
  const bool blank = std::all_of(self.cells.begin(), self.cells.end(),
                                 [](const std::string& cell) { return cell.empty(); });
  if (!blank) self.ready.push_back({self.record_line, std::move(self.cells), std::nullopt});
  self.cells.clear();
}

}  // namespace kvscope::orchestrator
