#include "services/metrics/probe/feature_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/metrics/probe/feature_layout.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

template <typename T>
void Append(std::string* out, const T& number) {
  out->append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void AppendTexts(std::string* out, std::span<const std::string* const> texts) {
  Append(out, static_cast<uint32_t>(texts.size()));
  for (const std::string* text : texts) {
    Append(out, static_cast<uint32_t>(text->size()));
    out->append(*text);
  }
}

// Of the folder that a file was renamed in: without it the name may be lost with the power.
void SyncFolder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

uint32_t FeatureWriter::Names::Find(std::string_view name) {
  const auto found = index.find(name);
  if (found != index.end()) return found->second;
  const auto added = index.emplace(name, static_cast<uint32_t>(order.size())).first;
  order.push_back(&added->first);
  return added->second;
}

absl::StatusOr<std::unique_ptr<FeatureWriter>> FeatureWriter::Open(std::filesystem::path path,
                                                                   FeatureShape shape) {
  KVSCOPE_RETURN_IF_ERROR(CheckShape(shape));
  std::unique_ptr<FeatureWriter> writer(new FeatureWriter(std::move(path), std::move(shape)));
  KVSCOPE_RETURN_IF_ERROR(writer->OpenPart());
  writer->AppendHead();
  return writer;
}

FeatureWriter::~FeatureWriter() {
  if (descriptor_ < 0) return;
  ::unlink(part_.c_str());
  ::close(descriptor_);
}

absl::Status FeatureWriter::OpenPart() {
  static std::atomic<uint64_t> next = 0;
  while (true) {
    part_ = absl::StrCat(path_.string(), ".", ::getpid(), "-", ++next, std::string(kPartSuffix));
    descriptor_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor_ < 0 && errno == EEXIST) continue;  // of another machine, on a shared disk
    if (descriptor_ < 0) return Failed("begun");
    // Whoever clears the folder may hold the lock for a moment and remove the file: begin again.
    const bool locked = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    struct stat info {};
    if (locked && ::fstat(descriptor_, &info) == 0 && info.st_nlink > 0) return absl::OkStatus();
    ::close(descriptor_);
  }
}

void FeatureWriter::AppendHead() {
  buffer_.append(kFeatureMagic);
  Append(&buffer_, static_cast<uint32_t>(shape_.width));
  Append(&buffer_, static_cast<uint32_t>(shape_.layers.size()));
  for (const int layer : shape_.layers) Append(&buffer_, static_cast<uint32_t>(layer));
  buffer_.resize(FeaturesOffset(static_cast<int64_t>(shape_.layers.size())), '\0');
}

absl::Status FeatureWriter::CheckRow(const FeatureRow& row, std::span<const float> features) const {
  if (static_cast<int64_t>(features.size()) != shape_.row_floats()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pooled hidden states: ", features.size(), " numbers, expected ", shape_.layers.size(),
        " layers of width ", shape_.width, " = ", shape_.row_floats()));
  }
  if (row.cell.press_index < 0 || row.cell.ratio_index < 0 || row.question_index < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pooled hidden states: press_index ", row.cell.press_index, ", ratio_index ",
        row.cell.ratio_index, ", question_index ", row.question_index, "; allowed: 0 and above"));
  }
  constexpr size_t kMax = std::numeric_limits<uint32_t>::max();
  if (rows_.size() >= kMax || row.passage_id.size() > kMax || row.label.size() > kMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("pooled hidden states: more than ", kMax, " rows or bytes of a name"));
  }
  return absl::OkStatus();
}

absl::Status FeatureWriter::Add(const FeatureRow& row, std::span<const float> features) {
  if (absl::Status status = CheckRow(row, features); !status.ok()) {
    broken_ = true;
    return status;
  }
  const auto [cell, is_new] = cells_.emplace(row.cell, static_cast<uint32_t>(cells_.size()));
  if (is_new) cell_order_.push_back(row.cell);
  rows_.push_back({cell->second, passages_.Find(row.passage_id),
                   static_cast<uint32_t>(row.question_index), labels_.Find(row.label)});
  buffer_.append(reinterpret_cast<const char*>(features.data()), features.size_bytes());
  return buffer_.size() >= kBufferBytes ? Flush() : absl::OkStatus();
}

void FeatureWriter::AppendLists() {
  const int64_t features = static_cast<int64_t>(rows_.size()) * shape_.row_floats();
  const int64_t lists = FeaturesOffset(static_cast<int64_t>(shape_.layers.size())) +
                        features * int64_t{sizeof(float)};
  Append(&buffer_, static_cast<uint32_t>(cell_order_.size()));
  for (const ProbeCell& cell : cell_order_) {
    Append(&buffer_, static_cast<uint32_t>(cell.press_index));
    Append(&buffer_, static_cast<uint32_t>(cell.ratio_index));
  }
  AppendTexts(&buffer_, passages_.order);
  AppendTexts(&buffer_, labels_.order);
  for (const FeatureIndex& row : rows_) Append(&buffer_, row);
  Append(&buffer_, static_cast<uint64_t>(lists));
  Append(&buffer_, static_cast<uint64_t>(rows_.size()));
  buffer_.append(kFeatureEndMagic);
}

absl::Status FeatureWriter::Flush() {
  for (std::string_view rest = buffer_; !rest.empty();) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      broken_ = true;
      return Failed("written");
    }
    rest.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status FeatureWriter::Commit() {
  if (broken_ || descriptor_ < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_.string(), ": not committed: a row was refused, or it already was"));
  }
  AppendLists();
  KVSCOPE_RETURN_IF_ERROR(Flush());
  if (::fsync(descriptor_) != 0) return Failed("synced");
  if (::rename(part_.c_str(), path_.c_str()) != 0) return Failed("renamed");
  SyncFolder(path_.parent_path());
  ::close(descriptor_);
  descriptor_ = -1;
  return absl::OkStatus();
}

absl::Status FeatureWriter::Failed(const char* doing) const {
  const int error = errno;
  return absl::UnavailableError(
      absl::StrCat(part_.string(), " cannot be ", doing, ": ", std::strerror(error)));
}

}  // namespace kvscope::metrics
