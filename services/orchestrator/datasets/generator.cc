#include "services/orchestrator/datasets/generator.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/passage_ids.h"
#include "services/orchestrator/datasets/pocket_story.h"
#include "services/orchestrator/sweep/nearest_name.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {

extern const GeneratorInfo kBase;
extern const GeneratorInfo kCoreference;
extern const GeneratorInfo kHops;
extern const GeneratorInfo kKnowledge;
extern const GeneratorInfo kLongContext;
extern const GeneratorInfo kMultiEntity;
extern const GeneratorInfo kMultiPresence;

namespace {

constexpr const GeneratorInfo* kGenerators[] = {
    &kBase, &kKnowledge, &kMultiPresence, &kMultiEntity, &kLongContext, &kCoreference, &kHops,
};

constexpr int64_t kMaxPassages = 1'000'000;

}  // namespace

std::span<const GeneratorInfo* const> Generators() { return kGenerators; }

absl::StatusOr<const GeneratorInfo*> FindGenerator(std::string_view name) {
  std::vector<std::string_view> names;
  for (const GeneratorInfo* info : kGenerators) {
    if (info->name == name) return info;
    names.push_back(info->name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(name), " is no generated data set", KnownNames(name, names)));
}

Passage MakePassage(const GeneratorInfo& suite, Scale scale, Names names, uint64_t seed,
                    int64_t index) {
  if (scale == Scale::kPaper) return suite.make_paper(seed, index);
  const std::string name(suite.name);
  const std::string salt = absl::StrCat(name, names == Names::kTraining ? "/training" : "/pocket");
  Random random = Random::Keyed(seed, salt, static_cast<uint64_t>(index));
  Passage passage;
  do {
    passage = NewPassage(name, scale, names, seed, index);
    suite.write_pocket(random, names, passage);
  } while (!AnswersAreUnambiguous(passage));
  NumberQuestions(passage);
  return passage;
}

absl::Status Generate(const GeneratorSpec& spec, const PassageSink& sink) {
  const absl::StatusOr<const GeneratorInfo*> info = FindGenerator(spec.name);
  if (!info.ok()) return info.status();
  if (spec.passages < 1 || spec.passages > kMaxPassages) {
    return absl::InvalidArgumentError(
        absl::StrCat("passages: is ", spec.passages, ", must be from 1 to ", kMaxPassages));
  }
  for (int64_t index = 0; index < spec.passages; ++index) {
    const absl::Status status = sink(MakePassage(**info, spec.scale, spec.names, spec.seed, index));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace kvscope::orchestrator
