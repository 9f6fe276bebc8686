// What the ops' tests share: random tensors, and a pair of backends to compare.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "services/inference/ops/backends.h"
#include "services/inference/ops/ops.h"
#include "tests/inference/ops/devices.h"

namespace kvscope::inference {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  float Normal() { return normal_(engine_); }
  int Below(int limit) { return static_cast<int>(engine_() % static_cast<uint32_t>(limit)); }
  // Host tensor of normal numbers times `scale`.
  Tensor Normals(std::vector<int64_t> shape, float scale = 1.0f, DType dtype = DType::kFloat32) {
    Tensor tensor = AllocateHost(dtype, std::move(shape));
    for (int64_t i = 0; i < tensor.size(); ++i) {
      const float value = scale * Normal();
      if (dtype == DType::kFloat32) tensor.f32()[i] = value;
      if (dtype == DType::kBFloat16) {
        static_cast<uint16_t*>(tensor.data())[i] = FloatToBFloat16(value);
      }
      if (dtype == DType::kFloat16) {
        static_cast<uint16_t*>(tensor.data())[i] = FloatToFloat16(value);
      }
    }
    return tensor;
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

// Moves host tensors to a backend and results back, so that a test reads the same for each.
class Bench {
 public:
  explicit Bench(std::string_view device) {
    auto ops = MakeOps(device);
    EXPECT_TRUE(ops.ok()) << ops.status();
    ops_ = *std::move(ops);
  }
  Ops& ops() { return *ops_; }
  Tensor Put(const Tensor& host) {
    Tensor device = ops_->Allocate(host.dtype(), host.shape());
    ops_->ToDevice(host.data(), device);
    return device;
  }
  Tensor New(std::vector<int64_t> shape) {
    return ops_->Allocate(DType::kFloat32, std::move(shape));
  }
  std::vector<float> Get(const Tensor& device) {
    std::vector<float> host(static_cast<size_t>(device.size()));
    ops_->ToHost(device, host.data());
    return host;
  }

 private:
  std::unique_ptr<Ops> ops_;
};

inline void ExpectNear(const std::vector<float>& found, const std::vector<float>& expected,
                       float tolerance, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], tolerance * (1.0f + std::fabs(expected[i])))
        << what << " at " << i;
  }
}

}  // namespace kvscope::inference
