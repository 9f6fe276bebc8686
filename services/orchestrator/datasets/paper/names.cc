#include "services/orchestrator/datasets/paper/names.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/orchestrator/datasets/calendar.h"
#include "services/orchestrator/datasets/paper/wording.h"

namespace kvscope::orchestrator::paper {
namespace {

using Pieces = const std::string_view[];

// A syllable is an onset and a rime; all 276 can be spoken and few begin a word that exists.
constexpr Pieces kOnsets = {"B", "Br", "C", "Cr", "D", "Dr", "F", "Fr", "G", "Gl", "Gr", "H",
                            "K", "L",  "M", "N",  "P", "Pr", "R", "S",  "T", "Tr", "V"};
constexpr Pieces kRimes = {"al", "el", "ol", "ar", "er", "or", "an", "en", "on", "il", "im", "ur"};

// The endings tell nothing of a person's sex, which the text must say.
constexpr Pieces kFirstEnds = {"avan",  "emin", "udan", "ethar", "ilken", "oval", "adey", "istel",
                               "ovrin", "unel", "asko", "ibbey", "ennor", "avel", "idan", "omey"};
constexpr Pieces kLastEnds = {"wether", "holm",   "gard",  "ovick",  "burne",  "stead",
                              "asker",  "mantle", "ward",  "quist",  "thorpe", "lund",
                              "merrow", "brand",  "feld",  "strand", "combe",  "rick",
                              "hollow", "maker",  "croft", "sley",   "denby",  "vane"};
constexpr Pieces kStemEnds = {"amar",  "eth",  "ivon",  "ovar",  "und",    "ask",
                              "ellin", "orad", "ivane", "urst",  "emond",  "anthe",
                              "illo",  "agan", "estry", "oway",  "inder",  "astel",
                              "umbra", "eska", "ondry", "ildar", "ashire", "efan"};
constexpr Pieces kTownMiddles = {"a", "e", "in", "er", "on", "ash", "en", "um", "el", "ov"};
constexpr Pieces kTownEnds = {"bridge", "by",      "combe", "dale",  "fell",   "field",
                              "ford",   "gate",    "ham",   "haven", "holt",   "ley",
                              "mere",   "minster", "moor",  "port",  "stead",  "thorpe",
                              "ton",    "vale",    "wick",  "worth", "cliffe", "brook"};
constexpr Pieces kTownPrefixes = {"Upper ", "Lower ", "Great ", "Little ", "Old ", "New "};
constexpr Pieces kCreatureEnds = {"ibble", "ockle", "aroon", "ettle", "ummer", "izzard",
                                  "oth",   "ander", "inch",  "urrel", "adger", "iskin",
                                  "emmet", "alope", "erel",  "umple"};
constexpr Pieces kCreatureMarks = {
    "banded", "bearded", "black",   "blue",   "collared", "copper",  "crested", "dappled",
    "dusky",  "golden",  "grey",    "hooded", "horned",   "marbled", "masked",  "mottled",
    "pale",   "pearly",  "ringed",  "russet", "sandy",    "scarlet", "silver",  "slender",
    "smoky",  "spotted", "striped", "tawny",  "tufted",   "velvet",  "white",   "woolly"};
constexpr Pieces kDomains = {"Botanical", "Tidal",   "Horological",  "Maritime",   "Alpine",
                             "Musical",   "Mineral", "Astronomical", "Historical", "Textile",
                             "Literary",  "Medical", "Geographical", "Forestry"};
constexpr Pieces kThemes = {"Harvest", "Salt",   "Kite",    "Frost", "River",  "Apple", "Wool",
                            "Mask",    "Candle", "Pottery", "Reed",  "Flower", "Honey", "Snow"};

// How such names end; in lower case, what they are.
constexpr Pieces kPersonNouns = {
    "surveyor",   "botanist",  "clockmaker", "cartographer", "glassblower", "organist",
    "bookbinder", "engraver",  "shipwright", "geologist",    "weaver",      "astronomer",
    "printer",    "librarian", "architect",  "potter",       "physician",   "translator",
    "composer",   "beekeeper", "goldsmith",  "stonemason",   "historian",   "schoolteacher",
    "apothecary", "gardener",  "painter",    "chemist",      "poet",        "navigator"};
constexpr Pieces kThingNouns = {"Astrolabe", "Barometer", "Globe",   "Compass",  "Clock",
                                "Harp",      "Telescope", "Sundial", "Mosaic",   "Casket",
                                "Loom",      "Organ",     "Orrery",  "Tapestry", "Chandelier",
                                "Statue",    "Mirror",    "Fountain"};
constexpr Pieces kOrganizationNouns = {"Society",    "Guild", "League",  "Institute", "Academy",
                                       "Company",    "Union", "Trust",   "Bureau",    "Council",
                                       "Foundation", "Club",  "College", "Agency"};
constexpr Pieces kCreatureNouns = {"bird", "fish",   "lizard", "beetle", "frog",  "hare",   "moth",
                                   "crab", "rodent", "deer",   "newt",   "otter", "weasel", "owl"};
constexpr Pieces kLocationNouns = {"town",    "village",    "hamlet",   "parish", "borough",
                                   "commune", "settlement", "township", "city",   "community"};
constexpr Pieces kEventNouns = {"Fair",     "Festival",   "Regatta", "Pageant",  "Tournament",
                                "Congress", "Exhibition", "Parade",  "Contest",  "Carnival",
                                "Gala",     "Convention", "Jubilee", "Symposium"};

std::span<const std::string_view> Nouns(Kind kind) {
  switch (kind) {
    case Kind::kPerson:
      return kPersonNouns;
    case Kind::kThing:
      return kThingNouns;
    case Kind::kOrganization:
      return kOrganizationNouns;
    case Kind::kCreature:
      return kCreatureNouns;
    case Kind::kLocation:
      return kLocationNouns;
    case Kind::kEvent:
      return kEventNouns;
    case Kind::kNumeral:
    case Kind::kDate:
      break;
  }
  std::abort();  // no entity
}

constexpr int64_t kNumberSpan = 59;  // values
constexpr int64_t kYearSpan = 44;

}  // namespace

std::vector<Kind> EntityKinds(std::span<const Kind> left_out) {
  std::vector<Kind> kinds = {Kind::kPerson,   Kind::kThing,    Kind::kOrganization,
                             Kind::kCreature, Kind::kLocation, Kind::kEvent};
  std::erase_if(kinds, [&](Kind kind) {
    return std::find(left_out.begin(), left_out.end(), kind) != left_out.end();
  });
  return kinds;
}

std::string_view AnswerType(Kind kind) {
  constexpr std::string_view kNames[kKinds] = {"Person",   "Thing",  "Organization", "Creature",
                                               "Location", "Events", "Numerals",     "Dates/Times"};
  return kNames[static_cast<int>(kind)];
}

std::string_view GenericNoun(Kind kind) {
  constexpr std::string_view kNouns[kKinds] = {"person", "object", "organization", "animal",
                                               "place",  "event",  "number",       "date"};
  return kNouns[static_cast<int>(kind)];
}

// Three digits that no year from 1801 to 1899 contains.
NameMaker::NameMaker(Random& random)
    : random_(random),
      number_low_(random.Between(212, 799 - kNumberSpan)),
      year_low_(random.Between(1802, 1899 - kYearSpan)) {}

Name NameMaker::Entity(Kind kind) { return Make(kind, /*entity=*/true); }
Name NameMaker::Value(Kind kind) { return Make(kind, /*entity=*/false); }

Name NameMaker::Make(Kind kind, bool entity) {
  Name name;
  switch (kind) {
    case Kind::kPerson:
      name = Person();
      break;
    case Kind::kThing:
    case Kind::kOrganization:
    case Kind::kEvent:
      name = Titled(kind, entity);
      break;
    case Kind::kCreature:
      name = Creature();
      break;
    case Kind::kLocation:
      name = Location();
      break;
    case Kind::kNumeral:
      name = Numeral();
      break;
    case Kind::kDate:
      name = Date();
      break;
  }
  name.kind = kind;
  if (name.noun.empty() && entity) name.noun = Noun(kind, entity);
  return name;
}

Name NameMaker::Person() {
  Name name;
  do {
    name.first = Joined({random_.Pick(kOnsets), random_.Pick(kRimes)});
    name.first += random_.Pick(kFirstEnds);
  } while (!Use(name.first));
  do {
    name.last = Joined({random_.Pick(kOnsets), random_.Pick(kRimes)});
    name.last += random_.Pick(kLastEnds);
  } while (!Use(name.last));
  name.text = absl::StrCat(name.first, " ", name.last);
  name.female = random_.OneIn(2);
  return name;
}

std::string NameMaker::Stem() {
  std::string stem;
  do {
    stem = random_.Pick(kOnsets);
    stem += random_.Pick(kRimes);
    stem += random_.Pick(kStemEnds);
  } while (!Use(stem));
  return stem;
}

// Entities take their nouns out of the list for all that follow, values only for entities.
std::string NameMaker::Noun(Kind kind, bool entity) {
  while (true) {
    std::string noun(random_.Pick(Nouns(kind)));
    if (nouns_.count(noun) > 0) continue;
    if (entity) nouns_.insert(noun);
    return noun;
  }
}

Name NameMaker::Titled(Kind kind, bool entity) {
  Name name;
  const std::string noun = Noun(kind, entity);
  name.text = Stem();
  if (kind == Kind::kOrganization) name.text += Joined({" ", random_.Pick(kDomains)});
  if (kind == Kind::kEvent) name.text += Joined({" ", random_.Pick(kThemes)});
  name.text += Joined({" ", noun});
  name.the = "the ";
  name.noun = absl::AsciiStrToLower(noun);
  return name;
}

Name NameMaker::Creature() {
  Name name;
  std::string word;
  do {
    word = random_.Pick(kOnsets);
    word += random_.Pick(kRimes);
    word += random_.Pick(kCreatureEnds);
  } while (!Use(word));
  std::string mark;
  do {
    mark = random_.Pick(kCreatureMarks);
  } while (!Use(mark));
  name.text = absl::StrCat(mark, " ", absl::AsciiStrToLower(word));
  name.the = "the ";
  return name;
}

Name NameMaker::Location() {
  Name name;
  do {
    name.text = random_.Pick(kOnsets);
    name.text += random_.Pick(kRimes);
    name.text += random_.Pick(kTownMiddles);
    name.text += random_.Pick(kTownEnds);
  } while (!Use(name.text));
  if (random_.OneIn(3)) name.text = Joined({random_.Pick(kTownPrefixes), name.text});
  return name;
}

Name NameMaker::Numeral() {
  Name name;
  do {
    name.text = absl::StrCat(number_low_ + random_.Between(0, kNumberSpan - 1));
  } while (!Use(name.text));
  return name;
}

Name NameMaker::Date() {
  Name name;
  do {
    name.last = absl::StrCat(year_low_ + random_.Between(0, kYearSpan - 1));
  } while (!Use(name.last));
  name.first = random_.Pick(kMonths);
  const std::string day = absl::StrCat(random_.Between(1, 28));
  name.text = absl::StrCat(day, " ", name.first, " ", name.last);
  return name;
}

}  // namespace kvscope::orchestrator::paper
