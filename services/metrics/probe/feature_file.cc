#include "services/metrics/probe/feature_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/metrics/probe/feature_layout.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

absl::Status ReadAt(int descriptor, const std::filesystem::path& path, int64_t offset, char* out,
                    int64_t bytes) {
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor, out, static_cast<size_t>(bytes), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return absl::UnavailableError(
          absl::StrCat(path.string(), ": cannot be read at byte ", offset, ": ",
                       got == 0 ? "the file has become shorter" : std::strerror(errno)));
    }
    out += got;
    offset += got;
    bytes -= got;
  }
  return absl::OkStatus();
}

// Takes numbers and texts off the front of bytes; false where they end too early.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  bool Number(T* out) {
    if (rest_.size() < sizeof(T)) return false;
    std::memcpy(out, rest_.data(), sizeof(T));
    rest_.remove_prefix(sizeof(T));
    return true;
  }
  bool Text(std::string* out) {
    uint32_t bytes = 0;
    if (!Number(&bytes) || rest_.size() < bytes) return false;
    out->assign(rest_.substr(0, bytes));
    rest_.remove_prefix(bytes);
    return true;
  }
  bool Texts(std::vector<std::string>* out) {
    uint32_t count = 0;
    if (!Number(&count) || rest_.size() / sizeof(uint32_t) < count) return false;
    out->resize(count);
    return std::all_of(out->begin(), out->end(), [this](std::string& text) { return Text(&text); });
  }
  size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

}  // namespace

absl::Status CheckShape(const FeatureShape& shape) {
  if (shape.width < 1 || shape.width > kMaxProbeWidth) {
    return absl::InvalidArgumentError(
        absl::StrCat("probe width is ", shape.width, ", allowed: 1 to ", kMaxProbeWidth));
  }
  if (shape.layers.empty() || shape.layers.size() > kMaxProbeLayers) {
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", shape.layers.size(), " probe layers, allowed: 1 to ", kMaxProbeLayers));
  }
  for (size_t i = 0; i < shape.layers.size(); ++i) {
    const int before = i == 0 ? -1 : shape.layers[i - 1];
    if (shape.layers[i] <= before) {
      return absl::InvalidArgumentError(absl::StrCat("probe layer ", shape.layers[i], " follows ",
                                                     before, "; they must ascend from 0 on"));
    }
  }
  return absl::OkStatus();
}

// Reads a file's parts in their order; each checks its sizes against what the file has left.
class FeatureFileReader {
 public:
  explicit FeatureFileReader(UnitFeatures* unit) : unit_(*unit) {}

  absl::Status Open(const std::filesystem::path& path) {
    unit_.path_ = path;
    unit_.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (unit_.descriptor_ < 0) {
      if (errno == ENOENT || errno == ENOTDIR) {
        return absl::NotFoundError(absl::StrCat(path.string(), ": no such file"));
      }
      return absl::UnavailableError(absl::StrCat(path.string(), ": ", std::strerror(errno)));
    }
    struct stat info {};
    if (::fstat(unit_.descriptor_, &info) != 0 || !S_ISREG(info.st_mode)) {
      return Broken("is not a regular file");
    }
    file_bytes_ = info.st_size;
    return absl::OkStatus();
  }

  absl::Status ReadHead() {
    std::string head;
    KVSCOPE_RETURN_IF_ERROR(Bytes(0, kFeatureHeadBytes, &head));
    Cursor cursor(std::string_view(head).substr(kFeatureMagic.size()));
    uint32_t width = 0, layers = 0;
    if (!head.starts_with(kFeatureMagic) || !cursor.Number(&width) || !cursor.Number(&layers)) {
      return Broken("does not begin as a file of hidden states");
    }
    if (width > kMaxProbeWidth || layers > kMaxProbeLayers) {
      return Broken(absl::StrCat("has ", layers, " layers of width ", width,
                                 ", allowed: ", kMaxProbeLayers, " of ", kMaxProbeWidth));
    }
    std::string list;
    KVSCOPE_RETURN_IF_ERROR(Bytes(kFeatureHeadBytes, layers * sizeof(uint32_t), &list));
    unit_.shape_.width = static_cast<int>(width);
    for (Cursor numbers(list); numbers.left() > 0;) {
      uint32_t layer = 0;
      numbers.Number(&layer);
      // One above INT_MAX becomes negative, which CheckShape refuses.
      unit_.shape_.layers.push_back(static_cast<int>(layer));
    }
    unit_.features_offset_ = FeaturesOffset(layers);
    const absl::Status shape = CheckShape(unit_.shape_);
    return shape.ok() ? shape : Broken(absl::StrCat("is broken: ", shape.message()));
  }

  absl::Status ReadTail() {
    std::string tail;
    KVSCOPE_RETURN_IF_ERROR(Bytes(file_bytes_ - kFeatureTailBytes, kFeatureTailBytes, &tail));
    Cursor cursor(tail);
    uint64_t lists = 0, rows = 0;
    if (!tail.ends_with(kFeatureEndMagic) || !cursor.Number(&lists) || !cursor.Number(&rows)) {
      return Broken("does not end as a file of hidden states: it is not complete");
    }
    const auto row_bytes = static_cast<uint64_t>(unit_.shape_.row_floats()) * sizeof(float);
    const auto begin = static_cast<uint64_t>(unit_.features_offset_);
    const auto end = static_cast<uint64_t>(file_bytes_ - kFeatureTailBytes);
    // Rows are bounded by the file before they are multiplied out.
    if (row_bytes == 0 || begin > lists || lists > end || (lists - begin) % row_bytes != 0 ||
        (lists - begin) / row_bytes != rows) {
      return Broken(absl::StrCat("has ", rows, " rows of ", row_bytes, " bytes from byte ", begin,
                                 " to ", lists, " of ", file_bytes_, ", which does not fit"));
    }
    row_count_ = rows;
    lists_offset_ = static_cast<int64_t>(lists);
    return absl::OkStatus();
  }

  absl::Status ReadLists() {
    std::string bytes;
    KVSCOPE_RETURN_IF_ERROR(
        Bytes(lists_offset_, file_bytes_ - kFeatureTailBytes - lists_offset_, &bytes));
    Cursor cursor(bytes);
    if (!ReadCells(&cursor)) return Broken("has a broken list of cells");
    if (!cursor.Texts(&unit_.passages_)) return Broken("has a broken list of passages");
    if (!cursor.Texts(&unit_.labels_)) return Broken("has a broken list of labels");
    if (cursor.left() % sizeof(FeatureIndex) != 0 ||
        cursor.left() / sizeof(FeatureIndex) != row_count_) {
      return Broken(absl::StrCat("has ", cursor.left(), " bytes of index for ", row_count_,
                                 " rows of ", sizeof(FeatureIndex)));
    }
    unit_.rows_.resize(row_count_);
    for (FeatureIndex& row : unit_.rows_) {
      cursor.Number(&row);
      if (row.cell >= unit_.cells_.size() || row.passage >= unit_.passages_.size() ||
          row.label >= unit_.labels_.size()) {
        return Broken("has a row of a cell, passage or label that it does not list");
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Broken(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(unit_.path_.string(), " ", what));
  }

  absl::Status Bytes(int64_t offset, int64_t bytes, std::string* out) const {
    if (offset < 0 || offset > file_bytes_ || bytes > file_bytes_ - offset) {
      return Broken(absl::StrCat("is ", file_bytes_, " bytes long, which is too short"));
    }
    out->resize(static_cast<size_t>(bytes));
    return ReadAt(unit_.descriptor_, unit_.path_, offset, out->data(), bytes);
  }

  bool ReadCells(Cursor* cursor) {
    uint32_t count = 0;
    if (!cursor->Number(&count) || cursor->left() / (2 * sizeof(uint32_t)) < count) return false;
    unit_.cells_.resize(count);
    for (ProbeCell& cell : unit_.cells_) {
      cursor->Number(&cell.press_index);
      cursor->Number(&cell.ratio_index);
      if (cell.press_index < 0 || cell.ratio_index < 0) return false;
    }
    return true;
  }

  UnitFeatures& unit_;
  int64_t file_bytes_ = 0;
  int64_t lists_offset_ = 0;
  uint64_t row_count_ = 0;
};

absl::StatusOr<std::shared_ptr<const UnitFeatures>> UnitFeatures::Open(
    const std::filesystem::path& path) {
  std::shared_ptr<UnitFeatures> unit(new UnitFeatures());
  FeatureFileReader reader(unit.get());
  KVSCOPE_RETURN_IF_ERROR(reader.Open(path));
  KVSCOPE_RETURN_IF_ERROR(reader.ReadHead());
  KVSCOPE_RETURN_IF_ERROR(reader.ReadTail());
  KVSCOPE_RETURN_IF_ERROR(reader.ReadLists());
  return unit;
}

UnitFeatures::~UnitFeatures() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

absl::Status UnitFeatures::Read(int64_t row, int first_layer, int layer_count, float* out) const {
  const int64_t first = row * shape_.row_floats() + int64_t{first_layer} * shape_.width;
  return ReadAt(descriptor_, path_, features_offset_ + first * int64_t{sizeof(float)},
                reinterpret_cast<char*>(out),
                int64_t{layer_count} * shape_.width * int64_t{sizeof(float)});
}

}  // namespace kvscope::metrics
