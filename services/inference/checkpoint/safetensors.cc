#include "services/inference/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kvscope::inference {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr size_t kMaxDimensions = 32;

struct FileDType {
  std::string_view name;
  size_t bytes;
  std::optional<DType> dtype;  // none: known to the format, of no use to us
};
constexpr std::array<FileDType, 15> kDTypes = {{
    {"F64", 8, DType::kFloat64},
    {"F32", 4, DType::kFloat32},
    {"F16", 2, DType::kFloat16},
    {"BF16", 2, DType::kBFloat16},
    {"I64", 8, DType::kInt64},
    {"I32", 4, DType::kInt32},
    {"I16", 2, DType::kInt16},
    {"I8", 1, DType::kInt8},
    {"U64", 8, DType::kUInt64},
    {"U32", 4, DType::kUInt32},
    {"U16", 2, DType::kUInt16},
    {"U8", 1, DType::kUInt8},
    {"BOOL", 1, DType::kBool},
    {"F8_E4M3", 1, std::nullopt},
    {"F8_E5M2", 1, std::nullopt},
}};

const FileDType* FindDType(std::string_view name) {
  for (const FileDType& entry : kDTypes) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::string_view DTypeSpelling(DType dtype) {
  for (const FileDType& entry : kDTypes) {
    if (entry.dtype == dtype) return entry.name;
  }
  return "";
}

// Bytes of a tensor, or nothing if the product overflows.
std::optional<size_t> ByteCount(const std::vector<int64_t>& shape, size_t element_bytes) {
  size_t count = element_bytes;
  for (const int64_t dim : shape) {
    if (dim == 0) return 0;
    if (count > std::numeric_limits<size_t>::max() / 32 / static_cast<size_t>(dim)) return {};
    count *= static_cast<size_t>(dim);
  }
  return count;
}

std::optional<int64_t> NonNegative(const json& value) {
  if (!value.is_number_unsigned()) return {};
  const auto number = value.get<uint64_t>();
  if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / 32) return {};
  return static_cast<int64_t>(number);
}

// Names are foreign bytes: shortened and with control characters replaced, for an error message.
std::string Quoted(std::string_view name) {
  std::string text = "'";
  for (const char c : name.substr(0, 120)) text += c < ' ' && c >= 0 ? '?' : c;
  return text + (name.size() > 120 ? "...'" : "'");
}

// The header as JSON; a name that stands twice in one object, or nesting deeper than the format
// has, is an error.
absl::StatusOr<json> ParseHeader(std::string_view header, const std::string& file) {
  std::set<std::string> names;
  std::optional<std::string> duplicate;
  bool too_deep = false;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > 3) {
      too_deep = true;
      return false;
    }
    if (event == json::parse_event_t::key && depth == 1 &&
        !names.insert(parsed.get_ref<const std::string&>()).second) {
      duplicate = parsed.get_ref<const std::string&>();
    }
    return true;
  };
  json parsed = json::parse(header.begin(), header.end(), check, /*allow_exceptions=*/false);
  if (too_deep) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": the header is nested deeper than safetensors headers are"));
  }
  if (parsed.is_discarded() || !parsed.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": the ", header.size(), "-byte header is not a JSON object"));
  }
  if (duplicate) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": tensor ", Quoted(*duplicate), " is listed twice in the header"));
  }
  return parsed;
}

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::filesystem::path& path) {
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  SafetensorsFile result;
  result.path_ = path;
  result.file_ = *std::move(file);
  const std::span<const std::byte> bytes = result.file_->bytes();
  if (bytes.size() < kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": is ", bytes.size(),
                                                   " bytes long, a safetensors file has at least ",
                                                   kLengthBytes));
  }
  uint64_t header_bytes = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    header_bytes |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  }
  const size_t available = bytes.size() - kLengthBytes;
  if (header_bytes > available || header_bytes > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), ": the header claims ", header_bytes, " bytes, but only ", available,
        " follow (at most ", kMaxHeaderBytes, " are allowed); not a safetensors file or cut off"));
  }
  result.data_begin_ = kLengthBytes + header_bytes;
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                                header_bytes);
  if (absl::Status status = result.ReadHeader(header, available - header_bytes); !status.ok()) {
    return status;
  }
  return result;
}

absl::Status SafetensorsFile::ReadHeader(std::string_view header, size_t data_bytes) {
  const std::string file = path_.string();
  absl::StatusOr<json> parsed = ParseHeader(header, file);
  if (!parsed.ok()) return parsed.status();
  for (const auto& [name, value] : parsed->items()) {
    if (name == "__metadata__") continue;
    const auto refuse = [&, &name = name](std::string_view what) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": tensor ", Quoted(name), ": ", std::string(what)));
    };
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets")) {
      return refuse("needs dtype, shape and data_offsets");
    }
    Entry entry;
    if (!value["dtype"].is_string()) return refuse("dtype is not a string");
    entry.dtype = value["dtype"].get<std::string>();
    const FileDType* dtype = FindDType(entry.dtype);
    if (dtype == nullptr) {
      std::vector<std::string> known;
      for (const FileDType& each : kDTypes) known.emplace_back(each.name);
      return refuse(absl::StrCat("dtype ", Quoted(entry.dtype), " is unknown; known are ",
                                 absl::StrJoin(known, ", ")));
    }
    const json& shape = value["shape"];
    if (!shape.is_array() || shape.size() > kMaxDimensions) {
      return refuse(absl::StrCat("shape is not a list of at most ", kMaxDimensions, " numbers"));
    }
    for (const json& dim : shape) {
      const std::optional<int64_t> number = NonNegative(dim);
      if (!number) return refuse("shape has an entry that is not a size");
      entry.shape.push_back(*number);
    }
    const json& offsets = value["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2 || !NonNegative(offsets[0]) ||
        !NonNegative(offsets[1])) {
      return refuse("data_offsets is not a pair of byte positions");
    }
    entry.begin = static_cast<size_t>(*NonNegative(offsets[0]));
    entry.end = static_cast<size_t>(*NonNegative(offsets[1]));
    const std::optional<size_t> expected = ByteCount(entry.shape, dtype->bytes);
    if (!expected) return refuse("the product of its shape overflows");
    if (entry.begin > entry.end || entry.end > data_bytes) {
      return refuse(absl::StrCat("its bytes [", entry.begin, ", ", entry.end,
                                 ") lie outside the file, which has ", data_bytes,
                                 " bytes of data; the file is cut off"));
    }
    if (entry.end - entry.begin != *expected) {
      return refuse(absl::StrCat("has ", entry.end - entry.begin, " bytes, but ", entry.dtype, " [",
                                 absl::StrJoin(entry.shape, ", "), "] needs ", *expected));
    }
    entries_.emplace(name, std::move(entry));
  }
  return CheckRanges(data_bytes);
}

absl::Status SafetensorsFile::CheckRanges(size_t data_bytes) const {
  std::vector<std::pair<const std::string*, const Entry*>> order;
  for (const auto& [name, entry] : entries_) order.emplace_back(&name, &entry);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  size_t end = 0;
  for (const auto& [name, entry] : order) {
    if (entry->begin != end) {
      return absl::InvalidArgumentError(absl::StrCat(path_.string(), ": tensor ", Quoted(*name),
                                                     ": its bytes start at ", entry->begin,
                                                     ", but the tensor before it ends at ", end));
    }
    end = entry->end;
  }
  if (end != data_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path_.string(), ": has ", data_bytes, " bytes of data, but its header describes ", end));
  }
  return absl::OkStatus();
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

absl::StatusOr<Tensor> SafetensorsFile::Get(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    return absl::NotFoundError(absl::StrCat(path_.string(), ": has no tensor ", Quoted(name)));
  }
  const Entry& entry = found->second;
  const FileDType* dtype = FindDType(entry.dtype);
  if (!dtype->dtype) {
    return absl::UnimplementedError(
        absl::StrCat(path_.string(), ": tensor ", Quoted(name), ": dtype ", entry.dtype,
                     " is not supported; weights may be F32, BF16 or F16"));
  }
  const std::byte* data = file_->bytes().data() + data_begin_ + entry.begin;
  if (reinterpret_cast<uintptr_t>(data) % dtype->bytes != 0) {
    Tensor copy = AllocateHost(*dtype->dtype, entry.shape);
    if (entry.end > entry.begin) std::memcpy(copy.data(), data, entry.end - entry.begin);
    return copy;
  }
  return Tensor(*dtype->dtype, entry.shape,
                std::shared_ptr<void>(file_, const_cast<std::byte*>(data)));
}

absl::Status WriteSafetensors(const std::filesystem::path& path,
                              const std::vector<std::pair<std::string, Tensor>>& tensors) {
  json header = json::object();
  size_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    if (header.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path.string(), ": tensor ", Quoted(name), " is given twice"));
    }
    const size_t begin = end;
    end += tensor.size_bytes();
    header[name] = {{"dtype", DTypeSpelling(tensor.dtype())},
                    {"shape", tensor.shape()},
                    {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts aligned

  std::filesystem::path partial = path;
  partial += ".partial";
  std::ofstream out(partial, std::ios::binary | std::ios::trunc);
  for (size_t i = 0; i < kLengthBytes; ++i) {
    out.put(static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i)));
  }
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const auto& [name, tensor] : tensors) {
    out.write(static_cast<const char*>(tensor.data()),
              static_cast<std::streamsize>(tensor.size_bytes()));
  }
  out.close();
  std::error_code error;
  if (!out) {
    const int reason = errno;
    std::filesystem::remove(partial, error);
    return absl::UnavailableError(
        absl::StrCat(path.string(), ": cannot be written: ", std::strerror(reason)));
  }
  std::filesystem::rename(partial, path, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(path.string(), ": cannot be written: ", error.message()));
  }
  return absl::OkStatus();
}

}  // namespace kvscope::inference
