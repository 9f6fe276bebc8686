#include "services/client/cli/engine_grid.h"

#include "services/status_macros.h"

namespace kvscope::cli {

absl::StatusOr<inference::Grid> MakeGrid(const orchestrator::Sweep& sweep,
                                         orchestrator::Regime regime) {
  inference::Grid grid;
  switch (regime) {
    case orchestrator::Regime::kAgnostic:
      grid.regime = inference::Regime::kAgnostic;
      break;
    case orchestrator::Regime::kAware:
      grid.regime = inference::Regime::kAware;
      break;
    case orchestrator::Regime::kAwareEach:
      grid.regime = inference::Regime::kAwareEach;
      break;
  }
  grid.prompt = {sweep.prompt.instruction, sweep.prompt.aware_line, sweep.prompt.question_prefix,
                 sweep.prompt.question_suffix, sweep.prompt.answer_prefix};
  for (const std::string& press : sweep.presses) {
    KVSCOPE_ASSIGN_OR_RETURN(inference::Press parsed, inference::ParsePress(press, sweep.seed));
    grid.presses.push_back(std::move(parsed));
  }
  grid.ratios = sweep.ratios;
  grid.max_new_tokens = static_cast<int>(sweep.max_new_tokens);
  grid.capture_consensus = sweep.capture.consensus;
  return grid;
}

inference::Passage MakePassage(const orchestrator::Passage& passage) {
  inference::Passage made;
  made.context = passage.context;
  for (const orchestrator::Question& question : passage.questions) {
    made.questions.push_back({question.question, question.answer, question.aliases});
  }
  return made;
}

}  // namespace kvscope::cli
