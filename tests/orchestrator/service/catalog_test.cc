// The catalogue of models, and what a submission may name of it.
#include "services/orchestrator/service/catalog.h"

#include <fstream>

#include "tests/orchestrator/service/service_fixture.h"

namespace kvscope::orchestrator {
namespace {

using testing::HasSubstr;

class Catalog : public ServiceTest {
 protected:
  Catalog() {
    Stop();
    options_.models_dir = (folder_ / "models").string();
    AddModel("tiny-model", R"({"model_type": "llama"})");
    AddModel("broken", "{");
    std::filesystem::create_directory(folder_ / "models" / "no-model");
    AddModel("../outside", R"({"model_type": "llama"})");
    Start();
    dataset_ = Upload("data", 2);
  }

  void AddModel(const std::string& name, const std::string& config) {
    const std::filesystem::path folder = folder_ / "models" / name;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << config;
    std::ofstream(folder / "model.safetensors") << "12345";
  }

  grpc::Status CreateWith(const std::string& model, const std::string& tokenizer = "") {
    v1::SweepSpec spec = Spec("sweep", dataset_);
    spec.set_model(model);
    spec.mutable_scoring()->set_tokenizer(tokenizer);
    v1::Sweep sweep;
    return TryCreate(spec, "request " + model + tokenizer, &sweep);
  }

  v1::Dataset dataset_;
};

TEST_F(Catalog, ListsFoldersThatHoldAModel) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(stub_->ListModels(&context, {}, &response).ok());
  ASSERT_EQ(response.models_size(), 2);
  EXPECT_EQ(response.models(0).name(), "broken");
  EXPECT_EQ(response.models(0).model_type(), "");
  EXPECT_EQ(response.models(1).name(), "tiny-model");
  EXPECT_EQ(response.models(1).model_type(), "llama");
  EXPECT_EQ(response.models(1).weights_bytes(), 5);
}

TEST_F(Catalog, ASweepNamesItsModelsFromTheCatalogue) {
  EXPECT_TRUE(CreateWith("tiny-model").ok());
  EXPECT_TRUE(CreateWith("tiny-model", "broken").ok());
  const grpc::Status unknown = CreateWith("tiny");
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(unknown.error_message(),
            "spec.model: the cluster has no model \"tiny\"; it has broken, tiny-model");
}

TEST_F(Catalog, NoPathIsEverOpened) {
  for (const char* path : {"../outside", "/etc", ".", "..", "tiny-model/", "./tiny-model",
                           "no-model", "tiny-model/../../outside"}) {
    EXPECT_EQ(CreateWith(path).error_code(), grpc::StatusCode::NOT_FOUND) << path;
    EXPECT_THAT(CreateWith("tiny-model", path).error_message(),
                HasSubstr("spec.scoring.tokenizer: the cluster has no model"))
        << path;
  }
}

TEST_F(ServiceTest, WithoutACatalogueThereIsNoList) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  EXPECT_EQ(stub_->ListModels(&context, {}, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

}  // namespace
}  // namespace kvscope::orchestrator
