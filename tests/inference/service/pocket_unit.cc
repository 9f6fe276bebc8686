#include "tests/inference/service/pocket_unit.h"

#include <gtest/gtest.h>

#include <utility>

namespace kvscope::inference {
namespace {

void AddQuestion(v1::Passage* passage, const std::string& question, const std::string& answer) {
  v1::Question* added = passage->add_questions();
  added->set_question_id(passage->passage_id() + "-" + std::to_string(passage->questions_size()));
  added->set_question(question);
  added->set_answer(answer);
}

}  // namespace

v1::Unit PocketUnit() {
  v1::Unit unit;
  unit.set_key("unit-key");
  unit.set_model("pocket-llama");
  unit.set_device("cpu");
  unit.set_dtype("float32");
  unit.set_regime(v1::AGNOSTIC);
  unit.add_presses("knorm");
  unit.add_presses("snapkv(window_size=8)");
  unit.add_ratios(0);
  unit.add_ratios(0.5);
  unit.set_max_new_tokens(8);
  unit.mutable_capture()->set_consensus(true);
  v1::Passage* first = unit.add_passages();
  first->set_dataset("towns");
  first->set_passage_id("towns-0");
  first->set_context(
      "Kelan Quinwick took a boat to Janmouth. Daryn Jormont joined the Rosshire Society. The "
      "spouse of Dunus Alcroft was Laneth Brenholm. Wilia Rosker owned a scarlet cup.");
  AddQuestion(first, "Where did Kelan Quinwick travel?", "Janmouth");
  AddQuestion(first, "Who was the spouse of Dunus Alcroft?", "Laneth Brenholm");
  AddQuestion(first, "What colour is the sea?", "I dont know");
  v1::Passage* second = unit.add_passages();
  second->set_dataset("towns");
  second->set_passage_id("towns-1");
  second->set_context(
      "Hareth Verson was born in Malmouth. Zanelle Marnik was born in Rosshire and owned a purple "
      "sword.");
  AddQuestion(second, "Where was Hareth Verson born?", "Malmouth");
  return unit;
}

MetricsServer::MetricsServer() {
  grpc::Service* const services[] = {&service_};
  auto server = rpc::Server::Start({}, services);
  EXPECT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
}

}  // namespace kvscope::inference
