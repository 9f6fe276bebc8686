// Imports texts and reads the result back as a sweep would.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/import/import.h"
#include "services/orchestrator/datasets/jsonl.h"
#include "services/orchestrator/datasets/passage.h"
#include "services/orchestrator/sweep/utf8.h"
#include "tests/orchestrator/datasets/scratch_file.h"

namespace kvscope::orchestrator {

struct Imported {
  absl::Status status;
  ImportReport report;
  std::vector<Passage> passages;  // of the file, if one was written
};

inline std::vector<Passage> ReadPassages(const std::string& path) {
  std::vector<Passage> passages;
  auto reader = PassageReader::Open(path);
  EXPECT_TRUE(reader.ok()) << reader.status();
  while (reader.ok()) {
    const auto next = reader->Next();
    EXPECT_TRUE(next.ok()) << next.status();
    if (!next.ok() || !next->has_value()) break;
    passages.push_back(**next);
  }
  return passages;
}

// Imports that file and takes the result away again.  The folder's path is taken out of messages.
inline Imported ImportFile(const ScratchFile& file, ImportOptions options) {
  options.files = {file.path()};
  options.out = file.folder() + "/out.jsonl";
  Imported imported;
  const auto report = ImportFiles(options);
  const auto shortened = [&](std::string text) {
    const std::string folder = file.folder() + "/";
    for (size_t at = 0; (at = text.find(folder)) != std::string::npos;) {
      text.erase(at, folder.size());
    }
    return text;
  };
  EXPECT_FALSE(std::filesystem::exists(options.out + ".partial"));
  const bool exists = std::filesystem::exists(options.out);
  if (!report.ok()) {
    EXPECT_FALSE(exists) << "written though it failed";
    imported.status =
        absl::Status(report.status().code(), shortened(std::string(report.status().message())));
    return imported;
  }
  imported.report = *report;
  EXPECT_EQ(exists, report->written);
  for (std::string& problem : imported.report.problems) problem = shortened(problem);
  if (exists) imported.passages = ReadPassages(options.out);
  std::filesystem::remove(options.out);
  return imported;
}

// Imports a file of that name and content.
inline Imported ImportFrom(const std::string& name, std::string_view content,
                           const ImportOptions& options = {}) {
  const ScratchFile file(name, content);
  return ImportFile(file, options);
}

inline Imported ImportGood(const std::string& name, std::string_view content,
                           ImportOptions options = {}) {
  options.skip_bad = true;
  return ImportFrom(name, content, options);
}

// The texts of the question's evidence.
inline std::vector<std::string> EvidenceTexts(const Passage& passage, size_t question) {
  std::vector<std::string> texts;
  for (const Evidence& span : passage.questions[question].evidence) {
    texts.emplace_back(CodePointSlice(passage.context, static_cast<size_t>(span.start),
                                      static_cast<size_t>(span.end)));
  }
  return texts;
}

}  // namespace kvscope::orchestrator
