#include "services/metrics/probe/split.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <string_view>
#include <utility>

namespace kvscope::metrics {
namespace {

// Sums of squared shares closer than this are equal, whatever a machine's rounding.
constexpr double kTie = 1e-12;

struct Passage {
  uint64_t place = 0;  // in the drawn order
  std::string_view id;
  std::vector<int> counts;  // [labels] rows
};

// A hash of the text that differs with the seed: FNV-1a, then SplitMix64's mixing.
uint64_t Draw(uint64_t seed, std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  hash += (seed + 1) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

std::vector<Passage> InDrawnOrder(std::span<const int> labels,
                                  std::span<const std::string> passages, int label_count,
                                  uint64_t seed) {
  std::map<std::string_view, Passage> by_id;
  for (size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] < 0) continue;
    auto [passage, is_new] = by_id.try_emplace(passages[row]);
    if (is_new) {
      passage->second = {Draw(seed, passages[row]), passages[row], std::vector<int>(label_count)};
    }
    ++passage->second.counts[labels[row]];
  }
  std::vector<Passage> order;
  order.reserve(by_id.size());
  for (auto& [id, passage] : by_id) order.push_back(std::move(passage));
  std::sort(order.begin(), order.end(), [](const Passage& a, const Passage& b) {
    return std::pair(a.place, a.id) < std::pair(b.place, b.id);
  });
  return order;
}

}  // namespace

Split SplitByPassage(std::span<const int> labels, std::span<const std::string> passages,
                     double train_share, uint64_t seed) {
  assert(labels.size() == passages.size());
  const int label_count =
      labels.empty() ? 0 : std::max(0, *std::max_element(labels.begin(), labels.end()) + 1);
  const std::vector<Passage> order = InDrawnOrder(labels, passages, label_count, seed);
  std::vector<double> total(label_count), seen(label_count), train(label_count);
  for (const Passage& passage : order) {
    for (int l = 0; l < label_count; ++l) total[l] += passage.counts[l];
  }

  std::map<std::string_view, bool> trains;
  for (const Passage& passage : order) {
    double with = 0, without = 0;  // squares of how far the shares are off, with it in training
    for (int l = 0; l < label_count; ++l) {
      if (total[l] == 0) continue;
      seen[l] += passage.counts[l];
      const double off = (train[l] - train_share * seen[l]) / total[l];
      const double added = passage.counts[l] / total[l];
      with += (off + added) * (off + added);
      without += off * off;
    }
    const bool to_train = with <= without + kTie;
    trains[passage.id] = to_train;
    if (!to_train) continue;
    for (int l = 0; l < label_count; ++l) train[l] += passage.counts[l];
  }

  Split split;
  for (size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] < 0) continue;
    auto& side = trains.at(passages[row]) ? split.train : split.validation;
    side.push_back(static_cast<int64_t>(row));
  }
  return split;
}

}  // namespace kvscope::metrics
