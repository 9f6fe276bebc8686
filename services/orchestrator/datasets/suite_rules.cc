#include "services/orchestrator/datasets/suite_rules.h"

#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {
namespace {

using Tags = const std::string_view[];

constexpr int64_t kNoHop[] = {0};
constexpr int64_t kHops[] = {0, 1, 2, 3};
constexpr Tags kPlainTypes = {kStandard, kManipulated};
constexpr Tags kAllTypes = {kStandard, kManipulated, kPart};
constexpr Tags kAllAnswers = {"Person",   "Thing",    "Organization", "Creature",
                              "Location", "Numerals", "Dates/Times",  "Events"};
constexpr Tags kPersonAnswers = {"Person",   "Thing",    "Organization",
                                 "Location", "Numerals", "Dates/Times"};
constexpr Tags kCoreferenceAnswers = {"Person", "Thing", "Organization", "Location", "Dates/Times"};

constexpr SuiteRule kRules[] = {
    {.suite = "base",
     .scale = Scale::kPaper,
     .words = {150, 200},
     .questions = {5, 6},  // one passage of 200 has 5
     .forward = {3, 3},
     .unknown = {0, 0},
     .passages = 200,
     .total_questions = 1199,
     .forward_occurrences = {1, 1},
     .reverse_occurrences = {1, 4},
     .hops = kNoHop,
     .question_types = kAllTypes,
     .answer_types = kAllAnswers},
    {.suite = "knowledge",
     .scale = Scale::kPaper,
     .words = {32, 32},
     .questions = {13, 13},
     .forward = {7, 7},
     .unknown = {0, 0},
     .passages = 4000,
     .total_questions = 52000,
     .forward_occurrences = {1, 1},
     .reverse_occurrences = {1, 1},
     .hops = kNoHop,
     .question_types = kPlainTypes,
     .answer_types = kPersonAnswers},
    {.suite = "multi_presence",
     .scale = Scale::kPaper,
     .words = {400, 600},
     .questions = {10, 10},
     .forward = {5, 5},
     .unknown = {0, 0},
     .passages = 100,
     .total_questions = 1000,
     .forward_occurrences = {1, 1},
     .reverse_occurrences = {6, 16},
     .hops = kNoHop,
     .question_types = kAllTypes,
     .answer_types = kAllAnswers},
    {.suite = "multi_entity",
     .scale = Scale::kPaper,
     .words = {400, 600},
     .questions = {10, 10},
     .forward = {5, 5},
     .unknown = {0, 0},
     .passages = 100,
     .total_questions = 1000,
     .forward_occurrences = {1, 1},
     .reverse_occurrences = {1, 5},
     .hops = kNoHop,
     .question_types = kAllTypes,
     .answer_types = kAllAnswers},
    {.suite = "long_context",
     .scale = Scale::kPaper,
     .words = {900, 1300},
     .questions = {10, 10},
     .forward = {5, 5},
     .unknown = {0, 0},
     .passages = 100,
     .total_questions = 1000,
     .forward_occurrences = {1, 1},
     .reverse_occurrences = {2, 6},
     .hops = kNoHop,
     .question_types = kAllTypes,
     .answer_types = kAllAnswers},
    {.suite = "coreference",
     .scale = Scale::kPaper,
     .words = {44, 44},
     .questions = {9, 9},
     .forward = {4, 5},  // by turns
     .unknown = {3, 3},
     .passages = 8000,
     .total_questions = 72000,
     .forward_occurrences = {1, 1},
     .reverse_occurrences = {1, 1},
     .hops = kNoHop,
     .question_types = kPlainTypes,
     .answer_types = kCoreferenceAnswers},
    {.suite = "hops",
     .scale = Scale::kPaper,
     .words = {1080, 1120},
     .questions = {16, 16},
     .forward = {8, 8},
     .unknown = {0, 0},
     .passages = 100,
     .total_questions = 1600,
     .forward_occurrences = {1, 1},
     .reverse_occurrences = {1, 4},
     .hops = kHops,
     .question_types = kPlainTypes,
     .answer_types = kAllAnswers},
};

}  // namespace

std::span<const SuiteRule> SuiteRules() { return kRules; }

const SuiteRule* FindSuiteRule(std::string_view suite, Scale scale) {
  for (const SuiteRule& rule : kRules) {
    if (rule.suite == suite && rule.scale == scale) return &rule;
  }
  return nullptr;
}

}  // namespace kvscope::orchestrator
