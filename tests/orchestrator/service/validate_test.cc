// Bad requests are refused with the field's name before anything happens.
#include <cmath>
#include <functional>

#include "tests/orchestrator/service/service_fixture.h"

namespace kvscope::orchestrator {
namespace {

using ::testing::HasSubstr;

class Validation : public ServiceTest {
 protected:
  grpc::Status UploadOne(const std::string& name, const v1::Passage& passage) {
    grpc::ClientContext context;
    v1::Dataset dataset;
    auto writer = stub_->UploadDataset(&context, &dataset);
    v1::UploadDatasetRequest request;
    request.set_name(name);
    *request.add_passages() = passage;
    writer->Write(request);
    writer->WritesDone();
    return writer->Finish();
  }
};

TEST_F(Validation, EveryFieldOfASpecIsNamed) {
  const v1::SweepSpec good = Spec("good", Upload("data", 1));
  struct Case {
    const char* field;
    std::function<void(v1::SweepSpec&)> damage;
  };
  const std::vector<Case> cases = {
      {"spec.name", [](v1::SweepSpec& s) { s.set_name("has space"); }},
      {"spec.name", [](v1::SweepSpec& s) { s.clear_name(); }},
      {"spec.name", [](v1::SweepSpec& s) { s.set_name(".."); }},
      {"spec.model", [](v1::SweepSpec& s) { s.clear_model(); }},
      {"spec.more_models[0]", [](v1::SweepSpec& s) { s.add_more_models(s.model()); }},
      {"spec.more_models[1]",
       [](v1::SweepSpec& s) {
         s.add_more_models("other");
         s.add_more_models("");
       }},
      {"spec.more_models",
       [](v1::SweepSpec& s) {
         for (int i = 0; i < 1000; ++i) s.add_more_models(absl::StrCat("m", i));
       }},
      {"spec.device", [](v1::SweepSpec& s) { s.set_device("gpu"); }},
      {"spec.dtype", [](v1::SweepSpec& s) { s.set_dtype("int8"); }},
      {"spec.datasets", [](v1::SweepSpec& s) { s.clear_datasets(); }},
      {"spec.datasets[1].name", [](v1::SweepSpec& s) { *s.add_datasets() = s.datasets(0); }},
      {"spec.regimes", [](v1::SweepSpec& s) { s.clear_regimes(); }},
      {"spec.regimes[1]", [](v1::SweepSpec& s) { s.add_regimes(v1::REGIME_UNSPECIFIED); }},
      {"spec.regimes[1]", [](v1::SweepSpec& s) { s.add_regimes(v1::AGNOSTIC); }},
      {"spec.presses", [](v1::SweepSpec& s) { s.clear_presses(); }},
      {"spec.presses[2]", [](v1::SweepSpec& s) { s.add_presses("snapkv"); }},
      {"spec.presses[2]", [](v1::SweepSpec& s) { s.add_presses(""); }},
      {"spec.ratios", [](v1::SweepSpec& s) { s.clear_ratios(); }},
      {"spec.ratios[2]", [](v1::SweepSpec& s) { s.add_ratios(1); }},
      {"spec.ratios[2]", [](v1::SweepSpec& s) { s.add_ratios(-0.1); }},
      {"spec.ratios[2]", [](v1::SweepSpec& s) { s.add_ratios(std::nan("")); }},
      {"spec.ratios[2]", [](v1::SweepSpec& s) { s.add_ratios(0.5); }},
      {"spec.max_new_tokens", [](v1::SweepSpec& s) { s.set_max_new_tokens(0); }},
      {"spec.max_new_tokens", [](v1::SweepSpec& s) { s.set_max_new_tokens(5000); }},
      {"spec.capture.heatmap_passages",
       [](v1::SweepSpec& s) { s.mutable_capture()->set_heatmap_passages(-1); }},
      {"spec.capture.graph_passages",
       [](v1::SweepSpec& s) { s.mutable_capture()->set_graph_passages(-1); }},
      {"spec.capture.graph_epsilon",
       [](v1::SweepSpec& s) { s.mutable_capture()->set_graph_epsilon(1); }},
      {"spec.capture.probe_pool",
       [](v1::SweepSpec& s) { s.mutable_capture()->set_probe_pool("max"); }},
      {"spec.capture.probe_layers",
       [](v1::SweepSpec& s) { s.mutable_capture()->mutable_probe_layers()->Add(-1); }},
      {"spec.scoring.correct_min_f1",
       [](v1::SweepSpec& s) { s.mutable_scoring()->set_correct_min_f1(2); }},
      {"spec.scoring.correct_min_f1",
       [](v1::SweepSpec& s) { s.mutable_scoring()->set_correct_min_f1(std::nan("")); }},
      {"spec.scoring.partial_above_f1",  // above 0.5, which is meant by none
       [](v1::SweepSpec& s) { s.mutable_scoring()->set_partial_above_f1(0.6); }},
      {"spec.scoring.abstentions[1]",
       [](v1::SweepSpec& s) {
         s.mutable_scoring()->add_abstentions("none");
         s.mutable_scoring()->add_abstentions(" ...");
       }},
      {"spec.scoring.abstentions[0]",
       [](v1::SweepSpec& s) { s.mutable_scoring()->add_abstentions(std::string(201, 'a')); }},
      {"spec.scoring.abstentions",
       [](v1::SweepSpec& s) {
         for (int i = 0; i < 101; ++i) s.mutable_scoring()->add_abstentions("none");
       }},
  };
  for (const Case& c : cases) {
    v1::SweepSpec spec = good;
    c.damage(spec);
    v1::Sweep sweep;
    const grpc::Status status = TryCreate(spec, "bad", &sweep);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << c.field;
    EXPECT_EQ(status.error_message().rfind(c.field, 0), 0u) << status.error_message();
  }
  Create(good, "bad");  // a refused request leaves its id free
}

TEST_F(Validation, UnknownDataIsNotFound) {
  v1::Dataset dataset;
  dataset.set_digest("0000");
  v1::Sweep sweep;
  const grpc::Status status = TryCreate(Spec("none", dataset), "r", &sweep);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("spec.datasets[0].digest"));
}

TEST_F(Validation, RequestIdsArePrintableAndShort) {
  const v1::SweepSpec spec = Spec("good", Upload("data", 1));
  v1::Sweep sweep;
  EXPECT_EQ(TryCreate(spec, "new\nline", &sweep).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(TryCreate(spec, std::string(129, 'x'), &sweep).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Validation, BadPassagesAreNamed) {
  const auto refused = [&](const std::string& name,
                           const std::function<void(v1::Passage&)>& damage) {
    v1::Passage passage = Passage(0, 2, 10);
    damage(passage);
    const grpc::Status status = UploadOne(name, passage);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  EXPECT_THAT(refused("d", [](v1::Passage& p) { p.clear_context(); }),
              HasSubstr("passages[0]: context"));
  EXPECT_THAT(refused("d", [](v1::Passage& p) { p.clear_questions(); }), HasSubstr("questions"));
  EXPECT_THAT(refused("d", [](v1::Passage& p) { p.mutable_questions(1)->clear_answer(); }),
              HasSubstr("questions[1].answer"));
  EXPECT_THAT(refused("d",
                      [](v1::Passage& p) {
                        v1::Span* span = p.mutable_questions(0)->add_evidence();
                        span->set_begin(3);
                        span->set_end(1000);
                      }),
              HasSubstr("evidence[0]"));
  EXPECT_THAT(refused("d", [](v1::Passage& p) { p.set_context(std::string(1000000, 'x')); }),
              HasSubstr("at most"));
  EXPECT_THAT(refused("", [](v1::Passage&) {}), HasSubstr("name"));
  EXPECT_THAT(refused("d",
                      [](v1::Passage& p) {
                        p.mutable_questions(0)->set_question_id("q");
                        p.mutable_questions(1)->set_question_id("q");
                      }),
              HasSubstr("question_id"));
}

TEST_F(Validation, AnEmptyUploadIsRefused) {
  grpc::ClientContext context;
  v1::Dataset dataset;
  auto writer = stub_->UploadDataset(&context, &dataset);
  writer->WritesDone();
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kvscope::orchestrator
