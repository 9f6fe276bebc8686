#include "services/orchestrator/datasets/invented_names.h"

#include "absl/strings/str_cat.h"

namespace kvscope::orchestrator {
namespace {

using Pieces = const std::string_view[];

constexpr Pieces kFirstStarts = {"Adr",  "Bel",  "Bri",  "Cass", "Cler",  "Dor",  "Edr",
                                 "Fenn", "Gwen", "Hest", "Ishv", "Jarr",  "Katr", "Lev",
                                 "Mirr", "Nad",  "Oct",  "Perr", "Quil",  "Renn", "Sav",
                                 "Tess", "Umbr", "Vesp", "Wald", "Xanth", "Yor",  "Zell"};
constexpr Pieces kFirstEnds = {"ara",   "emon", "iel",  "ika",   "ander", "ovan",
                               "istra", "omir", "ette", "uille", "iana",  "orin"};
constexpr Pieces kLastStarts = {"Ashk",  "Barl",  "Corv", "Drex",  "Elst",  "Frond",
                                "Grav",  "Hald",  "Isk",  "Jund",  "Kest",  "Lorm",
                                "Mostr", "Nev",   "Orsk", "Prand", "Quast", "Rill",
                                "Strov", "Thorl", "Ulm",  "Vand",  "Wrex",  "Yarl"};
constexpr Pieces kLastEnds = {"wether", "holm",  "ingale", "ovic", "burne", "stead",
                              "enko",   "asker", "mantle", "ward", "quist", "thorpe"};
constexpr Pieces kTownStarts = {"Amber", "Birch", "Crane",   "Dusk", "Elder",  "Flint", "Glen",
                                "Heron", "Iron",  "Juniper", "Kite", "Linden", "Mill",  "North",
                                "Otter", "Pine",  "Raven",   "Salt", "Tarn",   "Willow"};
constexpr Pieces kTownEnds = {"bridge",  "cross", "ford", "gate", "haven",
                              "minster", "moor",  "port", "vale", "wick"};
constexpr Pieces kRiverStarts = {"Bram", "Cald", "Esk", "Fal", "Lune", "Quill", "Sev", "Thane"};
constexpr Pieces kRiverEnds = {"water", "brook", "burn", "stream"};
constexpr Pieces kTownPrefixes = {"New", "Old", "Upper", "Lower", "Great", "Little"};
constexpr Pieces kUniversityPrefixes = {"Royal", "Free", "Central", "National", "United"};
constexpr Pieces kFieldKinds = {"Applied", "Marine", "Natural", "Modern", "Social", "Technical"};
constexpr Pieces kFields = {"Arts", "Sciences", "Studies", "Letters", "Mechanics"};
constexpr Pieces kGrades = {"assistant", "chief", "deputy", "junior", "master", "senior"};
constexpr Pieces kTrades = {"bridge", "canal", "grain", "harbour", "railway", "textile", "timber"};
constexpr Pieces kRoles = {"accountant", "broker",  "carpenter", "engineer",
                           "inspector",  "planner", "surveyor",  "technician"};

std::string Join(Random& random, std::span<const std::string_view> starts,
                 std::span<const std::string_view> ends) {
  std::string name(random.Pick(starts));  // the draws' order is part of the data set
  name += random.Pick(ends);
  return name;
}

}  // namespace

std::string InventFirstName(Random& random) { return Join(random, kFirstStarts, kFirstEnds); }
std::string InventLastName(Random& random) { return Join(random, kLastStarts, kLastEnds); }
std::string InventTown(Random& random) { return Join(random, kTownStarts, kTownEnds); }

std::string InventUniversity(Random& random) {
  std::string name(random.Pick(kUniversityPrefixes));
  absl::StrAppend(&name, " ", InventTown(random), " University of ");
  name += random.Pick(kFieldKinds);
  name += ' ';
  name += random.Pick(kFields);
  return name;
}

std::string InventCity(Random& random) {
  std::string name(random.Pick(kTownPrefixes));
  absl::StrAppend(&name, " ", InventTown(random), " on the ");
  return name + Join(random, kRiverStarts, kRiverEnds);
}

std::string InventOccupation(Random& random) {
  std::string name(random.Pick(kGrades));
  name += ' ';
  name += random.Pick(kTrades);
  name += ' ';
  name += random.Pick(kRoles);
  return name;
}

}  // namespace kvscope::orchestrator
