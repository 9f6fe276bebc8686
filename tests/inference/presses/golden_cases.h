// GoldenCase: what kvpress made of one press on one model, read from tests/golden/presses.
#pragma once

#include <string>
#include <vector>

#include "services/inference/flow/keep_set.h"
#include "services/inference/flow/score_table.h"

namespace kvscope::inference {

// One ratio of a case.
struct GoldenCut {
  double ratio = 0;
  KeepSet kept;
  bool ties = false;  // the worst kept and the best evicted score are equal somewhere: kvpress's
                      // choice among them is arbitrary
};

struct GoldenCase {
  std::string model, name;  // "qwen2-tiny", "snapkv_w16"
  std::string expression;   // the press, as a user writes it
  ScoreTable scores;        // of the inner scorer; empty if they depend on the ratio
  std::vector<GoldenCut> cuts;
};

// File names of the cases and what they are called here.
struct GoldenPress {
  const char* name;
  const char* expression;
};
const std::vector<GoldenPress>& GoldenPresses();

// "llama3-tiny", ...: the folders of tests/golden/presses.
std::vector<std::string> GoldenModels();
// Names of the case files of one model.
std::vector<std::string> GoldenFiles(const std::string& model);
// Reads a case; a test failure and an empty case if it cannot be read.
GoldenCase ReadGoldenCase(const std::string& model, const GoldenPress& press);

// Expects that `actual` keeps what `cut` keeps, but for pairs whose golden scores differ by at most
// `tolerance` (each layer has one): they may stand for each other within the span that they compete
// in, which is a chunk of a head or, for adakv, all heads of the layer.
void ExpectSameKeepSet(const KeepSet& actual, const GoldenCut& cut, const GoldenCase& golden,
                       const std::vector<float>& tolerance);

}  // namespace kvscope::inference
