// The fixed parts of a file of hidden states (feature_file.h has the whole layout).
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace kvscope::metrics {

static_assert(std::endian::native == std::endian::little, "files are written as memory is");

inline constexpr std::string_view kFeatureMagic = "KVSPROB1";
inline constexpr std::string_view kFeatureEndMagic = "KVSPEND1";
inline constexpr int64_t kFeatureHeadBytes = 16;  // magic, width, layers
inline constexpr int64_t kFeatureTailBytes = 24;  // offset of the lists, rows, magic

// Where the features of a file with this many layers begin.
constexpr int64_t FeaturesOffset(int64_t layers) {
  const int64_t head = kFeatureHeadBytes + layers * int64_t{sizeof(uint32_t)};
  return (head + 63) / 64 * 64;
}

}  // namespace kvscope::metrics
