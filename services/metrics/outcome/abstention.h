// Which answers decline to answer: the list of phrases, which a sweep can extend.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvscope::metrics {

// The phrases that every sweep knows, "I dont know" and its like (abstention.cc), and a sweep's
// own.
//
// Texts and phrases are compared after NormalizeAnswer, without apostrophes, and with contractions
// written out ("don't" is "do not", "can't" and "can not" are "cannot", "it's" is "it is"), so that
// one spelling stands for all. A phrase of several words is found where an answer is the phrase or
// begins with it, up to a word's end ("I don't know, the text does not say."); a single word must
// be the whole answer ("Unknown.", but not "Unknown Soldier"). An empty answer does not abstain.
class Abstentions {
 public:
  // `more`: the sweep's own phrases. One that IsPhrase refuses is never found.
  explicit Abstentions(std::span<const std::string> more = {});

  // Whether the text may be a phrase: there is a letter (Lu, Ll, Lt, Lo) or a number (N) in it.
  static bool IsPhrase(std::string_view text);

  // True if the answer declines to answer.
  bool Contain(std::string_view answer) const;

  // True if the right answer is to abstain: `gold` as a whole is "I dont know" in one of its
  // spellings, "dont know", or one of the sweep's own phrases. The other known phrases are not:
  // "Unknown" may be somebody's name.
  bool ContainGold(std::string_view gold) const;

 private:
  std::vector<std::string> more_;  // normalised
};

}  // namespace kvscope::metrics
