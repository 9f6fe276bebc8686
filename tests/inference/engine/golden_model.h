// A golden model on one backend, with what transformers computed on it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "services/inference/checkpoint/safetensors.h"
#include "services/inference/models/load.h"
#include "services/inference/models/workspace.h"
#include "services/inference/ops/backends.h"
#include "tests/inference/ops/devices.h"

namespace kvscope::inference {

// The parameter: model, device.
class GoldenModelTest : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    SetComputeThreads(1);  // tiny products: more threads only wait for each other
    const std::filesystem::path golden = std::filesystem::path(KVSCOPE_SOURCE_DIR) / "tests/golden";
    const auto& [name, device] = GetParam();
    auto model = LoadModel(golden / "models" / name, device, "float32");
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    workspace_ = std::make_unique<Workspace>(*model_->ops, model_->config);
    auto file = SafetensorsFile::Open(golden / "forward" / (name + ".safetensors"));
    ASSERT_TRUE(file.ok()) << file.status();
    golden_ = std::make_unique<SafetensorsFile>(*std::move(file));
  }

  Tensor Golden(const std::string& name) const {
    auto tensor = golden_->Get(name);
    EXPECT_TRUE(tensor.ok()) << tensor.status();
    return *tensor;
  }

  // A tensor of I64.
  std::vector<int32_t> Ids(const std::string& name) const {
    const Tensor ids = Golden(name);
    const auto* data = static_cast<const int64_t*>(ids.data());
    return std::vector<int32_t>(data, data + ids.size());
  }

  std::unique_ptr<LoadedModel> model_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<SafetensorsFile> golden_;
};

}  // namespace kvscope::inference
