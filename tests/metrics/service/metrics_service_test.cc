// The service over a channel: what unit_measure_test shows of the records holds for a call.
#include "services/metrics/service/metrics_service.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "services/rpc/server.h"

namespace kvscope::metrics {
namespace {

class MetricsServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    grpc::Service* const services[] = {&service_};
    auto server = rpc::Server::Start({}, services);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::MetricsService::NewStub(server_->InProcessChannel());
    stream_ = stub_->MeasureUnit(&context_);
  }

  void SendUnit() {
    v1::SurvivalRecord record;
    record.mutable_unit()->set_layers(1);
    record.mutable_unit()->set_q_heads(1);
    record.mutable_unit()->set_kv_heads(1);
    ASSERT_TRUE(stream_->Write(record));
  }

  void SendPassage(int index) {
    v1::SurvivalRecord record;
    record.mutable_passage()->set_passage_index(index);
    record.mutable_passage()->set_tokens(8);
    ASSERT_TRUE(stream_->Write(record));
    record.mutable_cell()->set_keep_bits(std::string(1, '\x0f'));
    record.mutable_cell()->set_last_part(true);
    ASSERT_TRUE(stream_->Write(record));
    record.mutable_passage_end();
    ASSERT_TRUE(stream_->Write(record));
  }

  MetricsService service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::MetricsService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SurvivalRecord, v1::PassageMetrics>> stream_;
};

TEST_F(MetricsServiceTest, AnswersEachPassageWhenItEnds) {
  stream_->WaitForInitialMetadata();  // comes before any record is sent
  SendUnit();
  for (int index = 0; index < 3; ++index) {
    SendPassage(index);
    v1::PassageMetrics metrics;
    ASSERT_TRUE(stream_->Read(&metrics));
    EXPECT_EQ(metrics.passage_index(), index);
    EXPECT_TRUE(metrics.last_part());
    EXPECT_DOUBLE_EQ(metrics.cells(0).eviction_rate(), 0.5);
  }
  stream_->WritesDone();
  v1::PassageMetrics more;
  EXPECT_FALSE(stream_->Read(&more));
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(MetricsServiceTest, ARefusedRecordEndsTheCallWithTheFieldsName) {
  SendUnit();
  v1::SurvivalRecord record;
  record.mutable_passage()->set_tokens(-3);
  stream_->Write(record);
  const grpc::Status status = stream_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("passage.tokens"));
}

TEST_F(MetricsServiceTest, AHalfPassageIsAnError) {
  SendUnit();
  v1::SurvivalRecord record;
  record.mutable_passage()->set_tokens(3);
  ASSERT_TRUE(stream_->Write(record));
  stream_->WritesDone();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kvscope::metrics
