// The first step of reading a tokenizer.json: its vocabulary and merges go straight into flat
// arrays (a DOM of 400,000 strings would take most of a second), everything else into a small DOM.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/inference/tokenizer/bpe.h"

namespace kvscope::inference {

struct RawTokenizerJson {
  nlohmann::json rest;  // the document; model.vocab and model.merges are null
  BpeSpec model;        // text, vocab and merges
  bool has_vocab = false;
  std::string vocab_problem;  // why model.vocab is no BPE vocabulary; empty if it is one
};

absl::StatusOr<RawTokenizerJson> ReadTokenizerJson(std::string_view json);

}  // namespace kvscope::inference
