#include "services/orchestrator/datasets/pocket_world.h"

#include <cstdlib>
#include <span>

#include "absl/strings/ascii.h"
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

constexpr Pieces kCreatureEnds = {"ak",  "bit", "dor", "fin", "gol", "lok",
                                  "mur", "nax", "pod", "rax", "tle", "zor"};
constexpr Pieces kColors = {"amber",   "black",  "blue",   "brown", "crimson", "golden",
                            "green",   "grey",   "orange", "pale",  "purple",  "red",
                            "scarlet", "silver", "violet", "white", "yellow"};
constexpr Pieces kThings = {"bell",   "bowl",  "box",   "cloak",  "clock",  "coin", "crown",
                            "cup",    "drum",  "flute", "harp",   "kettle", "key",  "knife",
                            "ladder", "lamp",  "mask",  "mirror", "ring",   "rope", "saddle",
                            "shield", "sword", "table", "vase",   "wheel"};
constexpr Pieces kGoods = {"apples", "barrels", "bells", "books", "bricks", "candles", "chairs",
                           "coins",  "eggs",    "jars",  "lamps", "maps",   "pears",   "stones"};
constexpr Pieces kOrganizations = {"Bank",  "Club",      "Company", "Council",
                                   "Guild", "Institute", "Society", "Trust"};
constexpr Pieces kEvents = {"Fair",   "Feast", "Festival", "Games",
                            "Parade", "Race",  "Regatta",  "Tournament"};
constexpr Pieces kMinutes = {"05", "10", "15", "20", "25", "30", "35", "40", "45", "50", "55"};
constexpr Pieces kRemarkSubjects = {
    "The weather", "The old road",    "The morning",       "The river",     "The market",
    "A cold wind", "The long street", "The evening light", "A quiet crowd", "The garden",
    "The harbour", "A narrow path",   "The small shop",    "The winter",    "The music"};
constexpr Pieces kRemarkVerbs = {
    "was calm",     "stayed quiet",        "seemed pleasant",    "was busy",
    "felt strange", "changed slowly",      "looked bright",      "was hard to forget",
    "moved on",     "brought little news", "was like any other", "remained open"};
constexpr Pieces kRemarkEnds = {"for a while",    "that day",          "as usual",
                                "all week",       "before noon",       "after the rain",
                                "for many hours", "near the hill",     "in those years",
                                "once again",     "without any hurry", "and nobody minded"};

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

std::string PocketWorld::Word(std::span<const std::string_view> ends) {
  while (true) {  // one pair in eight is held out
    const std::string_view start = random_.Pick(kStarts);
    const std::string_view end = random_.Pick(ends);
    if (IsHeldOut(start, end) != (names_ == Names::kHeldOut)) continue;
    return std::string(start) + std::string(end);
  }
}

std::string PocketWorld::Person() {
  return Person(random_.OneIn(2) ? Gender::kMale : Gender::kFemale);
}

std::string PocketWorld::Person(Gender gender) {
  const std::string first = Fresh([&] {
    return Word(gender == Gender::kMale ? std::span(kMaleEnds) : std::span(kFemaleEnds));
  });
  return first + " " + Fresh([&] { return Word(kLastEnds); });
}

std::string PocketWorld::Place() {
  return Fresh([&] { return Word(kPlaceEnds); });
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

std::string PocketWorld::Organization() {
  const std::string place = Place();
  return absl::StrCat("the ", place, " ", std::string(random_.Pick(kOrganizations)));
}

std::string PocketWorld::Event() {
  const std::string place = Place();
  return absl::StrCat("the ", place, " ", std::string(random_.Pick(kEvents)));
}

std::string PocketWorld::Creature() {
  return Fresh([&] { return absl::AsciiStrToLower(Word(kCreatureEnds)); });
}

std::string PocketWorld::Job() {
  return Fresh([&] { return std::string(random_.Pick(kJobs)); });
}

std::string PocketWorld::Thing() {
  return Fresh([&] {
    const std::string color(random_.Pick(kColors));
    return absl::StrCat(color, " ", std::string(random_.Pick(kThings)));
  });
}

std::string PocketWorld::Goods() {
  return Fresh([&] { return std::string(random_.Pick(kGoods)); });
}

std::string PocketWorld::Date() {
  return Fresh([&] {
    const int64_t day = random_.Between(1, 28);
    const std::string_view month = random_.Pick(kMonths);
    return absl::StrCat(day, " ", std::string(month), " ", random_.Between(1950, 1999));
  });
}

std::string PocketWorld::Time() {
  return Fresh([&] {
    const int64_t hour = random_.Between(1, 12);
    return absl::StrCat(hour, ":", std::string(random_.Pick(kMinutes)));
  });
}

std::string PocketWorld::Number() {
  return Fresh([&] { return absl::StrCat(random_.Between(29, 999)); });  // no day of a month
}

std::string PocketWorld::Remark() {
  return Fresh([&] {
    const std::string subject(random_.Pick(kRemarkSubjects));
    const std::string verb(random_.Pick(kRemarkVerbs));
    return absl::StrCat(subject, " ", verb, " ", std::string(random_.Pick(kRemarkEnds)), ".");
  });
}

const char* ArticleOf(std::string_view word) {
  return std::string_view("aeiou").find(word.front()) == std::string_view::npos ? "a " : "an ";
}

}  // namespace kvscope::orchestrator
