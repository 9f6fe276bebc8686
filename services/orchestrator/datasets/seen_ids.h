// Remembers which passage and question ids were used where, in about 40 bytes an id.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

class SeenIds {
 public:
  // Notes the ids of a passage on line `line` of `file`.  Errors: InvalidArgument if one of them
  // was used before, as a passage's or question's respectively, saying where.
  absl::Status Note(const Passage& passage, const std::string& file, int64_t line);

 private:
  struct Place {
    size_t file = 0;  // in files_
    int64_t line = 0;
  };
  absl::Status NoteOne(std::string_view kind, const std::string& field, const std::string& id,
                       Place place);

  std::vector<std::string> files_;
  std::unordered_map<std::string, Place> places_;  // by 15 bytes of the id's SHA-256
};

}  // namespace kvscope::orchestrator
