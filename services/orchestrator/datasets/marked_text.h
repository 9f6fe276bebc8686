// A passage's text while a generator writes it, with the spans of what was written.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "services/orchestrator/datasets/passage.h"

namespace kvscope::orchestrator {

// ASCII only (CHECK), so that bytes are code points.
class MarkedText {
 public:
  // Appends, and says where.
  Evidence Append(std::string_view piece) {
    for (const char c : piece) {
      if (static_cast<unsigned char>(c) >= 0x80) std::abort();
    }
    const auto start = static_cast<int64_t>(text_.size());
    text_ += piece;
    return {start, static_cast<int64_t>(text_.size())};
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace kvscope::orchestrator
