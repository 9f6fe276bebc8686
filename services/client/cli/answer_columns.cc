#include "services/client/cli/answer_columns.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "kvscope/v1/metrics.pb.h"
#include "services/client/cli/terminal.h"

namespace kvscope::cli {

metrics::Failed FailedOf(const AnswerPoint& answer) {
  return answer.outcome == v1::AnswerMetrics::CORRECT ? metrics::Failed::kNo
                                                      : metrics::Failed::kYes;
}

void ForEachPair(const CellAnswers& cell, const CellAnswers& other,
                 const std::function<void(const AnswerPoint&, const AnswerPoint*)>& take) {
  const auto place = [](const AnswerPoint& a) { return std::pair(a.passage, a.question); };
  auto at = other.answers.begin();
  const auto end = other.answers.end();
  for (const AnswerPoint& answer : cell.answers) {
    while (at != end && place(*at) < place(answer)) ++at;
    take(answer, at != end && place(*at) == place(answer) ? &*at : nullptr);
  }
}

void AnswerColumns::Add(const CellAnswers& cell, double cell_ratio, int32_t first_passage) {
  for (const AnswerPoint& answer : cell.answers) {
    passage.push_back(first_passage + answer.passage);
    ratio.push_back(cell_ratio);
    f1.push_back(answer.f1);
    hallucinated.push_back(answer.outcome == v1::AnswerMetrics::HALLUCINATION);
    unknown.push_back(answer.outcome == v1::AnswerMetrics::UNKNOWN);
    ger.push_back(answer.ger);
    consensus.push_back(answer.consensus);
    failed.push_back(FailedOf(answer));
  }
}

void ForEachInParallel(size_t count, const std::string& what,
                       const std::function<void(size_t)>& work) {
  const size_t cores = std::max<size_t>(1, std::thread::hardware_concurrency());
  std::atomic<size_t> next = 0, done = 0;
  const auto run = [&](const std::function<void()>& after_each) {
    for (size_t i = next++; i < count; i = next++) {
      work(i);
      ++done;
      after_each();
    }
  };
  std::vector<std::thread> threads;
  for (size_t t = 1; t < std::min(cores, count); ++t) threads.emplace_back(run, [] {});
  std::optional<ProgressBar> bar;
  const auto start = std::chrono::steady_clock::now();
  const auto draw = [&] {  // on this thread alone
    if (!bar && std::chrono::steady_clock::now() - start < std::chrono::seconds(1)) return;
    if (!bar) bar.emplace("statistics", what);
    bar->Update(static_cast<int64_t>(done), static_cast<int64_t>(count), "");
  };
  run(draw);
  for (std::thread& thread : threads) thread.join();
  if (bar) draw();
}

std::optional<std::pair<double, double>> IntervalOf(const metrics::Estimate& estimate) {
  if (!estimate.low || !estimate.high) return std::nullopt;
  return std::pair(*estimate.low, *estimate.high);
}

}  // namespace kvscope::cli
