// The names and words the pocket checkpoints know, drawn from the part that training never saw.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator {

// An invented word is two pieces ("Bren" + "dale").  A pair whose CRC-32 of "Bren-dale" is a
// multiple of 8 was held out of the pocket models' training; only such pairs are drawn here.
bool IsHeldOut(std::string_view start, std::string_view end);

// CRC-32 as zlib computes it (polynomial 0xEDB88320).
uint32_t Crc32(std::string_view bytes);

// Draws the names of one passage; no name, date or job comes twice.
class PocketWorld {
 public:
  explicit PocketWorld(Random& random) : random_(random) {}

  std::string Person();      // "Falwyn Belmont"; neither name is used again
  std::string Place();       // "Delgate"
  std::string University();  // "Pelwood University", "Lorgate College", "the University of Fenmere"
  std::string Job();         // "baker"
  std::string Date();        // "3 August 1993"

 private:
  template <typename Make>
  std::string Fresh(Make make);

  Random& random_;
  std::set<std::string> used_;
};

// What stands before `word`, which is not empty: "a " or "an ".
const char* ArticleOf(std::string_view word);

}  // namespace kvscope::orchestrator
