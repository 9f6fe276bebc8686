#include "services/orchestrator/datasets/source.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/passage_json.h"

namespace kvscope::orchestrator {
namespace {

std::string ResolvedPath(const std::string& directory, const std::string& file) {
  return (std::filesystem::path(directory) / file).string();
}

// `status` with the data set's field before its message.
absl::Status InField(size_t entry, const char* field, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("datasets[", entry, "].", field, ": ",
                                                  std::string(status.message())));
}

}  // namespace

PassageSource::PassageSource(const Sweep& sweep, std::string directory)
    : sweep_(sweep), directory_(std::move(directory)), seen_(std::make_shared<SeenIds>()) {
  done_ = sweep_.datasets.empty();
}

absl::StatusOr<PassageSource> PassageSource::Open(const Sweep& sweep,
                                                  const std::string& directory) {
  for (size_t i = 0; i < sweep.datasets.size(); ++i) {
    const DatasetEntry& entry = sweep.datasets[i];
    const absl::Status status =
        entry.is_file() ? PassageReader::Open(ResolvedPath(directory, entry.file)).status()
                        : FindGenerator(entry.name).status();
    if (!status.ok()) return InField(i, entry.is_file() ? "file" : "name", status);
  }
  return PassageSource(sweep, directory);
}

absl::StatusOr<std::optional<Passage>> PassageSource::Next() {
  while (!done_) {
    absl::StatusOr<std::optional<Passage>> next = NextOfEntry();
    if (!next.ok()) return next;
    if (next->has_value()) {
      ++index_;
      hash_.Update(FormatPassage(**next));
      hash_.Update("\n");
      return next;
    }
    reader_.reset();
    done_ = entry_ + 1 == sweep_.datasets.size();
    if (done_) break;
    ++entry_;
    index_ = 0;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<Passage>> PassageSource::NextOfEntry() {
  const DatasetEntry& entry = sweep_.datasets[entry_];
  if (!entry.is_file()) return NextGenerated(entry);
  if (entry.passages > 0 && index_ == entry.passages) return std::nullopt;
  if (!reader_) {
    auto reader = PassageReader::Open(ResolvedPath(directory_, entry.file), seen_);
    if (!reader.ok()) return InField(entry_, "file", reader.status());
    reader_.emplace(*std::move(reader));
  }
  return reader_->Next();
}

absl::StatusOr<std::optional<Passage>> PassageSource::NextGenerated(const DatasetEntry& entry) {
  if (index_ == entry.passages) return std::nullopt;
  const absl::StatusOr<const GeneratorInfo*> info = FindGenerator(entry.name);
  if (!info.ok()) return InField(entry_, "name", info.status());
  Passage passage = MakePassage(**info, entry.scale, Names::kHeldOut, entry.seed, index_);
  const std::string origin = absl::StrCat("generated ", entry.name);
  if (absl::Status status = seen_->Note(passage, origin, index_ + 1); !status.ok()) return status;
  return passage;
}

absl::StatusOr<SourceSummary> SummarizeSource(const Sweep& sweep, const std::string& directory) {
  absl::StatusOr<PassageSource> source = PassageSource::Open(sweep, directory);
  if (!source.ok()) return source.status();
  SourceSummary summary;
  while (true) {
    const absl::StatusOr<std::optional<Passage>> next = source->Next();
    if (!next.ok()) return next.status();
    if (!next->has_value()) break;
    ++summary.passages;
    summary.questions += static_cast<int64_t>((*next)->questions.size());
  }
  summary.content_digest = source->ContentDigest();
  return summary;
}

}  // namespace kvscope::orchestrator
