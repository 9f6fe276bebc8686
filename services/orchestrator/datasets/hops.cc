// hops: a subject and three entities linked one after the other.
// Source: arXiv:2603.01426, section 2.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/paper/suites.h"
#include "services/orchestrator/datasets/pocket_story.h"

namespace kvscope::orchestrator {
namespace {

// What is asked of each hop and direction.
struct Quota {
  int64_t hop;
  std::string_view direction;
  size_t count;
};
constexpr Quota kQuotas[] = {{0, kForward, 2}, {0, kReverse, 2}, {1, kForward, 4},
                             {1, kReverse, 2}, {2, kForward, 4}, {3, kForward, 2}};

constexpr Relation kAttributes[] = {Relation::kJob, Relation::kPet,   Relation::kOwn,
                                    Relation::kWin, Relation::kCount, Relation::kArrive};

// A subject, its attribute, and three links: a person, that person's employer, the employer's seat.
struct Chain {
  size_t attribute, link, employer, seat;
};

Chain AddChain(Random& random, PocketStory& story) {
  const std::string subject = story.world().Person();
  Chain chain;
  chain.attribute = story.Add(kAttributes[random.Below(std::size(kAttributes))], subject);
  chain.link = story.Add(Relation::kLink, subject);
  chain.employer = story.Add(Relation::kEmployer, story.fact(chain.link).value);
  chain.seat = story.Add(Relation::kSeat, story.fact(chain.employer).value);
  return chain;
}

void AskOfHop(PocketStory& story, size_t fact, int64_t hop, std::vector<Question>& questions) {
  questions.push_back(story.AskForward(fact));
  questions.back().hop = hop;
  questions.push_back(story.AskReverse(fact));
  questions.back().hop = hop;
}

void AskLinks(PocketStory& story, std::string text, std::span<const size_t> links,
              std::vector<Question>& questions) {
  questions.push_back(story.AskChain(std::move(text), links));
  questions.back().hop = static_cast<int64_t>(links.size());
}

void AskAll(PocketStory& story, const Chain& chain, std::vector<Question>& questions) {
  const Fact& link = story.fact(chain.link);
  const std::string friend_of = absl::StrCat(link.noun, " of ", link.subject);
  const size_t links[] = {chain.link, chain.employer, chain.seat};
  const std::span<const size_t> all(links);
  AskOfHop(story, chain.attribute, 0, questions);
  for (const size_t fact : links) AskOfHop(story, fact, 1, questions);
  AskLinks(story, absl::StrCat("What was the employer of the ", friend_of, "?"), all.first(2),
           questions);
  AskLinks(story, absl::StrCat("Where was the employer of ", link.value, " based?"), all.last(2),
           questions);
  AskLinks(story, absl::StrCat("Where was the employer of the ", friend_of, " based?"), all,
           questions);
}

// Drops what a quota leaves over, drawn evenly.
void KeepQuotas(Random& random, std::vector<Question>& questions) {
  std::vector<Question> kept;
  for (const Quota& quota : kQuotas) {
    std::vector<Question> of_hop;
    for (const Question& question : questions) {
      if (question.hop == quota.hop) of_hop.push_back(question);
    }
    std::erase_if(of_hop, [&](const Question& q) { return q.direction != quota.direction; });
    KeepSome(quota.direction, quota.count, random, of_hop);
    kept.insert(kept.end(), of_hop.begin(), of_hop.end());
  }
  questions = std::move(kept);
}

// Two chains or, in a third of the passages, three; their sentences in order or mixed.
void WritePocketPassage(Random& random, Names names, Passage& passage) {
  PocketStory story(random, names);
  std::vector<Chain> chains(random.OneIn(3) ? 3 : 2);
  std::vector<size_t> order;
  for (Chain& chain : chains) {
    chain = AddChain(random, story);
    order.insert(order.end(), {chain.attribute, chain.link, chain.employer, chain.seat});
  }
  if (random.OneIn(2)) Shuffle(order, random);
  for (const size_t fact : order) {
    story.State(fact);
    if (random.OneIn(6)) story.Remark();
  }
  passage.context = story.text();
  for (const Chain& chain : chains) AskAll(story, chain, passage.questions);
  KeepQuotas(random, passage.questions);
}

}  // namespace

extern const GeneratorInfo kHops = {
    .name = "hops",
    .summary = "Chains of linked entities; a question follows 0 to 3 links.",
    .source = "arXiv:2603.01426, section 2",
    .paper_passages = 100,
    .make_paper = MakePaperHops,
    .write_pocket = WritePocketPassage,
};

}  // namespace kvscope::orchestrator
