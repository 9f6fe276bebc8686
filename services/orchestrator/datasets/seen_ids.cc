#include "services/orchestrator/datasets/seen_ids.h"

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/sha256.h"
#include "services/orchestrator/sweep/utf8.h"

namespace kvscope::orchestrator {
namespace {

constexpr size_t kKeyBytes = 15;  // 120 bits never collide by chance, and need no heap

}  // namespace

absl::Status SeenIds::Note(const Passage& passage, const std::string& file, int64_t line) {
  if (files_.empty() || files_.back() != file) files_.push_back(file);
  const Place place{files_.size() - 1, line};
  absl::Status status = NoteOne("passage", "passage_id", passage.passage_id, place);
  for (size_t i = 0; status.ok() && i < passage.questions.size(); ++i) {
    status = NoteOne("question", absl::StrCat("questions[", i, "].question_id"),
                     passage.questions[i].question_id, place);
  }
  return status;
}

absl::Status SeenIds::NoteOne(std::string_view kind, const std::string& field,
                              const std::string& id, Place place) {
  Sha256 hash;
  hash.Update(kind);
  hash.Update(std::string_view("\0", 1));
  hash.Update(id);
  const auto [entry, is_new] = places_.emplace(hash.Digest().substr(0, kKeyBytes), place);
  if (is_new) return absl::OkStatus();
  const Place& first = entry->second;
  return absl::InvalidArgumentError(absl::StrCat(
      files_[place.file], ":", place.line, ": ", field, ": ", Quoted(id), " was already used in ",
      files_[first.file], ":", first.line, ", but an id must be unique"));
}

}  // namespace kvscope::orchestrator
