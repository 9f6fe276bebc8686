// The fields of one JSON object, read for a row.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/orchestrator/datasets/import/row.h"
#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// `value` for a message: its text, number or kind.
std::string DescribeJson(const nlohmann::json& value);

// A null field is a missing one; a whole number counts as text.  The first thing wrong is kept in
// problem(), and what is read then is empty.
class JsonFields {
 public:
  // `value` must outlive this.  Wrong at once if it is no object.
  explicit JsonFields(const nlohmann::json& value);

  const std::optional<Problem>& problem() const { return problem_; }
  void Report(Reason reason, std::string_view field, std::string what);

  bool Has(std::string_view key) const;
  const nlohmann::json& At(std::string_view key) const;  // null where it is missing

  std::string Text(std::string_view key);
  std::vector<std::string> Texts(std::string_view key);  // a list of texts, or one text
  int64_t Count(std::string_view key, int64_t most);     // 0 where it is missing
  std::vector<Evidence> Spans(std::string_view key, int64_t length);  // of code points
  // The elements of a list; none where it is missing.
  const std::vector<nlohmann::json>& List(std::string_view key);

  // Reports `key` if it is missing, naming the key that may have been meant to be it.
  void Require(std::string_view key, Reason missing);

 private:
  const nlohmann::json& value_;
  std::optional<Problem> problem_;
};

}  // namespace kvscope::orchestrator
