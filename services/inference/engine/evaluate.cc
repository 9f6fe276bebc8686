#include "services/inference/engine/evaluate.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inference/engine/decode.h"
#include "services/inference/engine/engine.h"
#include "services/inference/engine/graph.h"
#include "services/inference/engine/keep.h"
#include "services/inference/engine/memory_plan.h"
#include "services/inference/engine/score.h"
#include "services/inference/engine/scoring_ids.h"
#include "services/inference/engine/state.h"
#include "services/inference/engine/survival.h"
#include "services/inference/engine/task.h"
#include "services/inference/ops/device_error.h"
#include "services/inference/presses/apply.h"
#include "services/inference/tensor/check.h"
#include "services/inference/tokenizer/unicode.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

// What each token stands for in the context; pieces of one character all show the character.
std::vector<std::string> TokenTexts(const Task& task) {
  std::vector<size_t> byte_of;  // of each code point, and of the end
  for (size_t pos = 0; pos < task.text.text.size();) {
    byte_of.push_back(pos);
    pos += CodePointAt(task.text.text, pos).size_bytes;
  }
  byte_of.push_back(task.text.text.size());
  std::vector<std::string> texts;
  texts.reserve(task.context.offsets.size());
  for (const CharRange& range : task.context.offsets) {
    const size_t begin = byte_of[static_cast<size_t>(range.begin)];
    const size_t end = byte_of[static_cast<size_t>(range.end)];
    texts.push_back(task.text.text.substr(begin, end - begin));
  }
  return texts;
}

std::vector<QuestionRecord> RecordQuestions(const Engine::State& state, const Task& task,
                                            const Passage& passage) {
  std::vector<QuestionRecord> records;
  for (const Question& question : passage.questions) {
    QuestionRecord& record = records.emplace_back();
    record.answer_tokens =
        TokensOverlapping(task.context.offsets,
                          AnswerSpans(task.text, ToValidUtf8(question.answer), question.evidence));
    record.gold_ids = ScoringIds(state.scoring(), question.answer);
    for (const std::string& alias : question.aliases) {
      record.alias_ids.push_back(ScoringIds(state.scoring(), alias));
    }
  }
  return records;
}

StreamRecord RecordStream(const Engine::State& state, int question, DecodedStream decoded) {
  StreamRecord record;
  record.question_index = question;
  std::span<const int32_t> said = decoded.tokens;
  if (decoded.ended) said = said.first(said.size() - 1);
  const std::string text = state.tokenizer->Decode(said, /*skip_special_tokens=*/true);
  record.answer = std::string(Stripped(text));
  record.answer_ids = ScoringIds(state.scoring(), record.answer);
  record.ended = decoded.ended;
  record.tokens = std::move(decoded.tokens);
  record.pooled = std::move(decoded.pooled);
  record.rows = std::move(decoded.rows);
  return record;
}

void AddTask(const Task& task, PassageSize& size) {
  size.context_tokens = std::max(size.context_tokens, static_cast<int>(task.context.ids.size()));
  size.questions = std::max(size.questions, static_cast<int>(task.asked.size()));
  for (const std::vector<int32_t>& suffix : task.suffixes) {
    size.suffix_tokens = std::max(size.suffix_tokens, static_cast<int>(suffix.size()));
  }
}

// Tells what the steps of an evaluation cost, one after the other.
class Lap {
 public:
  explicit Lap(const ProductCost& products) : all_(products), before_(products) {}

  ProductCost products() const { return all_ - before_; }  // since the last Next
  // Seconds since the last Next; begins anew.
  double Next() {
    const auto now = std::chrono::steady_clock::now();
    before_ = all_;
    return std::chrono::duration<double>(now - std::exchange(start_, now)).count();
  }

 private:
  const ProductCost& all_;
  ProductCost before_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The evaluation of one context: prefill, score, keep, decode, record.
class TaskRun {
 public:
  TaskRun(Engine::State& state, const Grid& grid, const Passage& passage, const Task& task,
          std::optional<double> graph_epsilon, const EvaluateHooks& hooks)
      : state_(state), grid_(grid), passage_(passage), task_(task), hooks_(hooks) {
    if (graph_epsilon.has_value()) graph_.emplace(*graph_epsilon);
    if (grid.probe_pool == ProbePool::kNone) return;
    probe_layers_ = grid.probe_layers;
    for (int i = 0; grid.probe_layers.empty() && i <= state.info.layers; ++i) {
      probe_layers_.push_back(i);
    }
  }

  absl::StatusOr<PassageRecord> Run() {
    const int tokens = static_cast<int>(task_.context.ids.size());
    const bool compresses = std::any_of(grid_.ratios.begin(), grid_.ratios.end(),
                                        [](double ratio) { return ratio > 0; });
    if (compresses) {
      for (const Press& press : grid_.presses) KVSCOPE_RETURN_IF_ERROR(CheckTokens(press, tokens));
    }
    if (hooks_.cancelled && hooks_.cancelled()) return absl::CancelledError("evaluation cancelled");
    KVSCOPE_RETURN_IF_ERROR(TakeMemory());

    GridScores scores(grid_.presses, state_.info.layers, state_.info.kv_heads, tokens);
    ContextCapture capture;
    if (graph_.has_value()) capture.graph = &*graph_;
    if (grid_.probe_pool == ProbePool::kContext) capture.mean_layers = probe_layers_;
    PassageRecord record;
    Lap lap(state_.workspace->products);
    KVSCOPE_ASSIGN_OR_RETURN(
        const KvCache cache,
        PrefillAndScore(*state_.model, task_.context.ids, compresses ? &scores : nullptr,
                        *state_.workspace, hooks_.cancelled, &capture));
    record.cost.prefill = lap.products();
    record.cost.prefill_seconds = lap.Next();
    KVSCOPE_ASSIGN_OR_RETURN(GridKeepSets sets, CutKeepSets(grid_.presses, grid_.ratios, scores));
    record.cost.score_seconds = scores.seconds() + lap.Next();
    record.context_ids = task_.context.ids;
    record.questions = RecordQuestions(state_, task_, passage_);
    KVSCOPE_ASSIGN_OR_RETURN(std::vector<StreamRecord> streams,
                             Decode(cache, sets, record.questions));
    record.cost.decode = lap.products();
    record.cost.decode_seconds = lap.Next();
    for (const StreamRecord& stream : streams) {
      record.cost.answer_tokens += static_cast<int64_t>(stream.tokens.size());
    }
    if (grid_.probe_pool == ProbePool::kContext) {
      for (StreamRecord& stream : streams) stream.pooled = capture.means;
    }
    KVSCOPE_ASSIGN_OR_RETURN(record.graph, Graph(cache));
    record.cells = RecordCells(cache, sets, streams);
    return record;
  }

 private:
  // Takes the memory of all that follows, in the largest slices that there is enough for.
  absl::Status TakeMemory() {
    Ops& ops = *state_.model->ops;
    PassageSize size;
    AddTask(task_, size);
    while (true) {
      const std::optional<DeviceMemoryState> memory = ops.memory();
      if (!memory.has_value()) return absl::OkStatus();
      const MemoryPlan plan = PlanMemory(state_, grid_, size, slices_);
      absl::Status fits = CheckFits(plan, memory->used + memory->free);
      if (fits.ok() && ops.ReserveMemory(std::max<int64_t>(plan.bytes() - memory->used, 0))) {
        return fits;
      }
      if (!HalveSlices(std::string(fits.message()))) return fits;
    }
  }

  bool HalveSlices(const std::string& why) {
    state_.workspace->Clear();  // some of it is as large as the last slices
    if (!slices_.Halve()) return false;
    if (hooks_.slices_halved) hooks_.slices_halved(why);
    return true;
  }

  // Answers do not depend on the slices, so a part that is done twice gives the same again.
  absl::StatusOr<std::vector<DecodedStream>> DecodeInSlices(const KvCache& cache,
                                                            StreamBatch batch) {
    while (true) {
      batch.slices = slices_;
      try {
        return DecodeStreams(*state_.model->decoder, cache, batch, *state_.workspace);
      } catch (const DeviceError& error) {
        if (error.kind() != DeviceError::Kind::kOutOfMemory || !HalveSlices(error.what())) throw;
      }
    }
  }

  // Streams, set-major: every question through every distinct keep set.
  absl::StatusOr<std::vector<StreamRecord>> Decode(const KvCache& cache, const GridKeepSets& sets,
                                                   const std::vector<QuestionRecord>& questions) {
    const size_t asked = task_.asked.size();
    std::vector<uint64_t> spans;
    for (const int q : task_.asked) {
      const std::vector<uint64_t> bits =
          TokenBits(questions[static_cast<size_t>(q)].answer_tokens, sets.distinct.front().words());
      spans.insert(spans.end(), bits.begin(), bits.end());
    }
    std::vector<Stream> streams;
    int full_run = -1;  // its first stream
    for (size_t set = 0; set < sets.distinct.size(); ++set) {
      for (size_t i = 0; i < asked; ++i) {
        streams.push_back({.set = set,
                           .suffix = task_.suffixes[i],
                           .span = grid_.capture_consensus ? static_cast<int>(i) : -1,
                           .draft = full_run < 0 ? -1 : full_run + static_cast<int>(i)});
      }
      if (sets.distinct[set].keeps_everything()) full_run = static_cast<int>(set * asked);
    }
    std::vector<int64_t> cells_of_set(sets.distinct.size(), 0);
    for (const size_t set : sets.set_of_cell) ++cells_of_set[set];

    std::vector<bool> told(streams.size());
    StreamBatch batch;
    batch.sets = sets.distinct;
    batch.streams = streams;
    batch.spans = spans;
    batch.max_new_tokens = grid_.max_new_tokens;
    batch.end_tokens = state_.end_tokens;
    batch.pool = grid_.probe_pool;
    batch.probe_layers = probe_layers_;
    batch.cancelled = hooks_.cancelled;
    batch.stream_ended = [&](size_t stream) {
      if (!hooks_.streams_done || told[stream]) return;
      told[stream] = true;
      hooks_.streams_done(cells_of_set[streams[stream].set]);
    };
    KVSCOPE_ASSIGN_OR_RETURN(std::vector<DecodedStream> decoded,
                             DecodeInSlices(cache, std::move(batch)));
    std::vector<StreamRecord> records;
    records.reserve(decoded.size());
    for (size_t s = 0; s < decoded.size(); ++s) {
      records.push_back(RecordStream(state_, task_.asked[s % asked], std::move(decoded[s])));
    }
    return records;
  }

  // The graph, once the suffixes of the questions asked have run through the whole cache: no stream
  // does where ratio 0 is not in the grid.
  absl::StatusOr<std::optional<TokenGraph>> Graph(const KvCache& cache) {
    if (!graph_.has_value()) return std::nullopt;
    std::vector<GraphQuestion> questions;
    for (size_t i = 0; i < task_.asked.size(); ++i) {
      questions.push_back({.question_index = task_.asked[i], .suffix = task_.suffixes[i]});
    }
    KVSCOPE_RETURN_IF_ERROR(graph_->AddQuestions(*state_.model->decoder, cache, questions,
                                                 *state_.workspace, hooks_.cancelled));
    return graph_->Take();
  }

  std::vector<CellRecord> RecordCells(const KvCache& cache, const GridKeepSets& sets,
                                      const std::vector<StreamRecord>& streams) const {
    const size_t asked = task_.asked.size();
    const EngineInfo& info = state_.info;
    const int64_t pair_bytes =
        2 * int64_t{info.head_dim} * static_cast<int64_t>(DTypeSize(cache.keys(0).dtype()));
    std::vector<CellRecord> cells;
    cells.reserve(sets.set_of_cell.size());
    for (size_t cell = 0; cell < sets.set_of_cell.size(); ++cell) {
      const size_t set = sets.set_of_cell[cell];
      CellRecord& record = cells.emplace_back();
      record.press_index = static_cast<int>(cell / grid_.ratios.size());
      record.ratio_index = static_cast<int>(cell % grid_.ratios.size());
      record.question_index = grid_.regime == Regime::kAwareEach ? task_.asked.front() : -1;
      record.keep = sets.distinct[set];
      record.kept_bytes = record.keep.kept_count() * pair_bytes;
      record.full_bytes = int64_t{info.layers} * info.kv_heads * record.keep.tokens() * pair_bytes;
      const auto first = streams.begin() + static_cast<ptrdiff_t>(set * asked);
      record.streams.assign(first, first + static_cast<ptrdiff_t>(asked));
    }
    return cells;
  }

  Engine::State& state_;
  const Grid& grid_;
  const Passage& passage_;
  const Task& task_;
  const EvaluateHooks& hooks_;
  std::optional<GraphCapture> graph_;
  std::vector<int> probe_layers_;  // empty: no probes
  DecodeSlices slices_;
};

// What was taken of the device is free again when it could not go on.
absl::StatusOr<PassageRecord> RunTask(Engine::State& state, const Grid& grid,
                                      const Passage& passage, const Task& task,
                                      std::optional<double> graph_epsilon,
                                      const EvaluateHooks& hooks) {
  try {
    return TaskRun(state, grid, passage, task, graph_epsilon, hooks).Run();
  } catch (const DeviceError& error) {
    state.workspace->Clear();
    return StatusOf(error);
  }
}

}  // namespace

absl::Status EvaluatePassage(const Engine& engine, const Grid& grid, const Passage& passage,
                             const PassageExtras& extras, const EvaluateHooks& hooks,
                             const std::function<absl::Status(PassageRecord&&)>& emit) {
  Engine::State& state = engine.state();
  KVSCOPE_CHECK(state.model != nullptr, "the engine was loaded for its facts only");
  if (extras.graph_epsilon.has_value() && !(*extras.graph_epsilon >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the graph's epsilon is ", *extras.graph_epsilon, "; it must be at least 0"));
  }
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<Task> tasks, PlanTasks(state, grid, passage));
  const std::lock_guard<std::mutex> lock(state.busy);
  for (const Task& task : tasks) {
    KVSCOPE_ASSIGN_OR_RETURN(PassageRecord record,
                             RunTask(state, grid, passage, task, extras.graph_epsilon, hooks));
    if (extras.token_texts) record.context_tokens = TokenTexts(task);
    KVSCOPE_RETURN_IF_ERROR(emit(std::move(record)));
  }
  return absl::OkStatus();
}

absl::StatusOr<PassageSize> MeasurePassage(const Engine& engine, const Grid& grid,
                                           const Passage& passage) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::vector<Task> tasks, PlanTasks(engine.state(), grid, passage));
  PassageSize size;
  for (const Task& task : tasks) AddTask(task, size);
  return size;
}

}  // namespace kvscope::inference
