// The answers of a sweep as columns: what statistics are calculated from. A million answers take
// some 30 MB.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"

namespace kvscope::cli {

// What a statistic needs of one answer. NaN: not defined for it.
struct AnswerPoint {
  int32_t passage = 0;   // number of the passage within its data set
  int32_t question = 0;  // number of the question within its part
  float f1 = 0;
  float ger = 0;
  float consensus = 0;
  uint8_t outcome = 0;  // v1::AnswerMetrics::Outcome
};

// The token-attention graph of one answer, where it was captured.
struct RoutePoint {
  bool reached_defined = false;
  bool reached_computed = false;
  int32_t disjoint_defined = 0;
  int32_t disjoint_computed = 0;
  int32_t length_defined = 0;  // 0: not reached
  float bound = 0;             // NaN: not defined
};

// One cell of the grid. Answers are by passage, then question.
struct CellAnswers {
  std::vector<AnswerPoint> answers;
  std::vector<RoutePoint> routes;  // of some of them
};

// What the cells of one data set (and model, where there are several) have in common.
struct AnswerPart {
  std::string dataset;  // without the model
  std::string model;    // short name; empty where the sweep has one model
  // Of the data set: a passage has the same number in every model's part, for it is one cluster.
  int32_t passages = 0;
  // [questions] the values of kTagNames (cells.h), as positions in `tag_values`.
  std::vector<std::array<int32_t, 4>> tags;
  std::vector<std::string> tag_values;
};

// (data set with its model where there are several, regime, press, ratio), as in ReportRow.
using CellKey = std::tuple<std::string, std::string, std::string, double>;

// Sums over answers: bytes of keys and values that their contexts kept, and would keep in full.
struct CacheBytes {
  double kept = 0;
  double full = 0;
  int64_t answers = 0;
};

struct SweepAnswers {
  std::map<CellKey, CellAnswers> cells;
  std::map<double, CacheBytes> cache;       // by compression ratio
  std::map<std::string, AnswerPart> parts;  // by the cells' data set
};

// Reads all answers of a sweep. Errors: those of StreamAnswers.
absl::StatusOr<SweepAnswers> ReadSweepAnswers(v1::OrchestratorService::Stub& stub,
                                              const v1::Sweep& sweep);

}  // namespace kvscope::cli
