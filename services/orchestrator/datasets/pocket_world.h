// The names and words of the pocket scale: invented, short, and split in two for training.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "services/orchestrator/datasets/generator.h"
#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator {

// An invented word is two pieces ("Bren" + "dale").  A pair whose CRC-32 of "Bren-dale" is a
// multiple of 8 is held out: the pocket models are trained on the other pairs only.
bool IsHeldOut(std::string_view start, std::string_view end);

// CRC-32 as zlib computes it (polynomial 0xEDB88320).
uint32_t Crc32(std::string_view bytes);

enum class Gender { kMale, kFemale };

// Draws the names of one passage; nothing that it draws comes twice.
class PocketWorld {
 public:
  PocketWorld(Random& random, Names names) : random_(random), names_(names) {}

  std::string Person();               // "Falwyn Belmont"; neither name is used again
  std::string Person(Gender gender);  // the first name's ending tells
  std::string Place();                // "Delgate"
  std::string University();  // "Pelwood University", "Lorgate College", "the University of Fenmere"
  std::string Organization();  // "the Delgate Guild"
  std::string Event();         // "the Delgate Fair"
  std::string Creature();      // "bitnax"
  std::string Job();           // "baker"
  std::string Thing();         // "green kettle"
  std::string Goods();         // "barrels"
  std::string Date();          // "3 August 1993"
  std::string Time();          // "8:45"
  std::string Number();        // "417"
  std::string Remark();        // "The market was busy that day.": no name in it, asked by nobody

 private:
  template <typename Make>
  std::string Fresh(Make make);
  // A word of `names_`'s part.
  std::string Word(std::span<const std::string_view> ends);

  Random& random_;
  const Names names_;
  std::set<std::string> used_;
};

// What stands before `word`, which is not empty: "a " or "an ".
const char* ArticleOf(std::string_view word);

}  // namespace kvscope::orchestrator
