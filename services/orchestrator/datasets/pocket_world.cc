#include "services/orchestrator/datasets/pocket_world.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/calendar.h"

namespace kvscope::orchestrator {
namespace {

using Pieces = const std::string_view[];

constexpr Pieces kStarts = {"Al",  "Bar", "Bel", "Bren", "Cal", "Cor", "Dar", "Del",  "Dun", "El",
                            "Fal", "Fen", "Gar", "Gil",  "Hal", "Har", "Il",  "Jan",  "Jor", "Kel",
                            "Lan", "Lor", "Mal", "Mar",  "Nor", "Or",  "Pel", "Quin", "Ral", "Ros",
                            "Sal", "Sel", "Tam", "Tor",  "Ul",  "Val", "Ver", "Wen",  "Wil", "Zan"};
constexpr Pieces kMaleEnds = {"an", "ad", "ias", "eth", "on", "or", "ric", "us"};
constexpr Pieces kFemaleEnds = {"a", "elle", "ia", "ina", "issa", "ora", "wyn", "yn"};
constexpr Pieces kLastEnds = {"berg", "by",  "croft", "der", "gan", "holm", "ker",  "ley",
                              "mont", "nik", "rick",  "sen", "ski", "son",  "well", "wick"};
constexpr Pieces kPlaceEnds = {"burg",  "dale", "fell",  "field", "gate", "haven", "mere",  "moor",
                               "mouth", "port", "shire", "stead", "ton",  "vale",  "ville", "wood"};
constexpr Pieces kJobs = {
    "actor",    "artist",    "baker",   "banker",   "barber",  "builder", "butcher",  "carpenter",
    "chef",     "clerk",     "cook",    "dancer",   "dentist", "doctor",  "driver",   "editor",
    "engineer", "farmer",    "fisher",  "gardener", "guard",   "hunter",  "jeweller", "judge",
    "lawyer",   "librarian", "mason",   "mechanic", "miller",  "miner",   "musician", "nurse",
    "painter",  "pilot",     "plumber", "poet",     "porter",  "potter",  "printer",  "sailor",
    "sculptor", "singer",    "smith",   "surgeon",  "tailor",  "teacher", "waiter",   "weaver",
    "welder",   "writer"};

std::string HeldOutWord(Random& random, std::span<const std::string_view> ends) {
  while (true) {  // one pair in eight is held out
    const std::string_view start = random.Pick(kStarts);
    const std::string_view end = random.Pick(ends);
    if (IsHeldOut(start, end)) return std::string(start) + std::string(end);
  }
}

}  // namespace

uint32_t Crc32(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

bool IsHeldOut(std::string_view start, std::string_view end) {
  return Crc32(std::string(start) + "-" + std::string(end)) % 8 == 0;
}

template <typename Make>
std::string PocketWorld::Fresh(Make make) {
  for (int attempt = 0; attempt < 10'000; ++attempt) {
    std::string drawn = make();
    if (used_.insert(drawn).second) return drawn;
  }
  std::abort();  // more was asked for than there is: a bug of the caller
}

std::string PocketWorld::Person() {
  const bool male = random_.OneIn(2);
  const std::string first = Fresh(
      [&] { return HeldOutWord(random_, male ? std::span(kMaleEnds) : std::span(kFemaleEnds)); });
  return first + " " + Fresh([&] { return HeldOutWord(random_, kLastEnds); });
}

std::string PocketWorld::Place() {
  return Fresh([&] { return HeldOutWord(random_, kPlaceEnds); });
}

std::string PocketWorld::University() {
  const std::string place = Place();
  switch (random_.Below(3)) {
    case 0:
      return place + " University";
    case 1:
      return place + " College";
    default:
      return "the University of " + place;
  }
}

std::string PocketWorld::Job() {
  return Fresh([&] { return std::string(random_.Pick(kJobs)); });
}

std::string PocketWorld::Date() {
  return Fresh([&] {
    const int64_t day = random_.Between(1, 28);
    const std::string_view month = random_.Pick(kMonths);
    return absl::StrCat(day, " ", std::string(month), " ", random_.Between(1950, 1999));
  });
}

const char* ArticleOf(std::string_view word) {
  return std::string_view("aeiou").find(word.front()) == std::string_view::npos ? "a " : "an ";
}

}  // namespace kvscope::orchestrator
