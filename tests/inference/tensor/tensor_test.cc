#include "services/inference/tensor/tensor.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "gtest/gtest.h"

namespace kvscope::inference {
namespace {

TEST(Tensor, OwnsAlignedMemoryThatCopiesShare) {
  const Tensor a = AllocateHost(DType::kFloat32, {3, 5});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % 64, 0u);
  EXPECT_EQ(a.size(), 15);
  EXPECT_EQ(a.size_bytes(), 60u);
  const Tensor b = a;
  b.f32()[14] = 7;
  EXPECT_EQ(a.f32()[14], 7);
}

TEST(Tensor, SlicesAndReshapesViewTheSameMemory) {
  const Tensor a = AllocateHost(DType::kInt32, {4, 3});
  for (int i = 0; i < 12; ++i) a.i32()[i] = i;
  const Tensor slice = a.Slice(1, 2);
  EXPECT_EQ(slice.shape(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(slice.i32()[0], 3);
  EXPECT_EQ(a.Reshaped({2, 2}).i32()[3], 3);
}

TEST(TensorDeathTest, RefusesWrongDTypeAndOversizedViews) {
  const Tensor a = AllocateHost(DType::kFloat32, {4});
  EXPECT_DEATH(a.i32(), "not int32");
  EXPECT_DEATH(a.Reshaped({5}), "larger");
  EXPECT_DEATH(a.Slice(3, 2), "slice");
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(FloatToBFloat16(1.0f), 0x3f80);
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f808000u)), 0x3f80);  // tie, even below
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f818000u)), 0x3f82);  // tie, even above
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(FloatToBFloat16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(FloatToBFloat16(-0.0f), 0x8000);
  EXPECT_TRUE(std::isnan(BFloat16ToFloat(FloatToBFloat16(std::nanf("")))));
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = BFloat16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(FloatToBFloat16(value), bits);
  }
}

TEST(Float16, WidensEveryValueExactly) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = Float16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_EQ(bits & 0x7c00, 0x7c00u);
      continue;
    }
    const int exponent = static_cast<int>(bits >> 10) & 31;
    const int fraction = static_cast<int>(bits) & 1023;
    double expected =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) expected = std::numeric_limits<double>::infinity();
    EXPECT_EQ(static_cast<double>(value), (bits & 0x8000) != 0 ? -expected : expected);
    EXPECT_EQ(FloatToFloat16(value), bits);
  }
}

TEST(Float16, NarrowsToTheNearestEvenNeighbour) {
  for (uint64_t i = 0; i < 2'000'000; ++i) {  // a spread over all float32 bits
    const float value = std::bit_cast<float>(static_cast<uint32_t>(i * 2654435761u));
    if (std::isnan(value)) continue;
    const double exact = static_cast<double>(value);
    const uint16_t bits = FloatToFloat16(value);
    const double chosen = Float16ToFloat(bits);
    if (std::isinf(chosen)) {
      EXPECT_GE(std::fabs(exact), 65520.0);
      continue;
    }
    // No neighbour is nearer, and an equally near one has an odd last bit.
    for (const int step : {-1, 1}) {
      const uint16_t other_bits = static_cast<uint16_t>(bits + step);
      const double other = Float16ToFloat(other_bits);
      if (std::isnan(other) || std::isinf(other)) continue;
      const double distance = std::fabs(chosen - exact);
      ASSERT_LE(distance, std::fabs(other - exact)) << value;
      if (distance != 0 && distance == std::fabs(other - exact)) {
        ASSERT_EQ(bits & 1, 0) << value;
      }
    }
  }
}

}  // namespace
}  // namespace kvscope::inference
