#include "services/orchestrator/datasets/llm/entity_names.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

#include "absl/strings/ascii.h"
#include "services/orchestrator/datasets/calendar.h"
#include "services/orchestrator/datasets/grounding.h"
#include "services/orchestrator/datasets/invented_names.h"

namespace kvscope::orchestrator::llm {
namespace {

// Words that are written with a capital within names but say what is named, not which one.
constexpr std::string_view kKindWords[] = {
    "Academy",     "Academies",   "Admiral",    "Air",         "Archive",      "Army",
    "Association", "Avenue",      "Award",      "Bank",        "Battle",       "Bay",
    "Bridge",      "Brother",     "Brothers",   "Captain",     "Castle",       "Cathedral",
    "Celebration", "Center",      "Central",    "Centre",      "Championship", "Chapel",
    "Church",      "City",        "Clinic",     "Club",        "Collection",   "College",
    "Colonel",     "Committee",   "Company",    "Competition", "Conference",   "Congress",
    "Cooperative", "Corporation", "Council",    "County",      "Court",        "Cup",
    "Day",         "Department",  "District",   "Doctor",      "Dr",           "Duke",
    "East",        "Eastern",     "Exhibition", "Expedition",  "Fair",         "Festival",
    "Forest",      "Foundation",  "Gallery",    "Garden",      "Gardens",      "General",
    "Grand",       "Great",       "Group",      "Guild",       "Hall",         "Harbor",
    "Harbour",     "Hill",        "Hills",      "Hospital",    "Hotel",        "House",
    "Inc",         "Inn",         "Institute",  "Island",      "Islands",      "Judge",
    "King",        "Laboratory",  "Lady",       "Lake",        "League",       "Library",
    "Lieutenant",  "Lighthouse",  "Limited",    "Lord",        "Ltd",          "Madam",
    "Major",       "Market",      "Master",     "Mayor",       "Medal",        "Mill",
    "Miss",        "Mount",       "Mountain",   "Mountains",   "Mr",           "Mrs",
    "Ms",          "Museum",      "National",   "New",         "North",        "Northern",
    "Observatory", "Ocean",       "Office",     "Old",         "Opera",        "Orchestra",
    "Order",       "Palace",      "Parade",     "Park",        "Party",        "Peninsula",
    "Port",        "President",   "Prince",     "Princess",    "Prize",        "Professor",
    "Queen",       "Race",        "Republic",   "River",       "Road",         "Royal",
    "Saint",       "School",      "Sea",        "Sergeant",    "Sir",          "Sister",
    "Sisters",     "Society",     "South",      "Southern",    "Square",       "St",
    "State",       "Station",     "Street",     "Studio",      "Theater",      "Theatre",
    "Tournament",  "Tower",       "Town",       "Trail",       "Trust",        "Union",
    "University",  "Valley",      "Village",    "Weekly",      "West",         "Western",
    "Workshop"};
constexpr std::string_view kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                      "Friday", "Saturday", "Sunday"};
constexpr std::string_view kSentenceEnds = ".!?:;\n\"(";
constexpr int kMaxDraws = 1000;

bool Among(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Whether a word, which is not empty, begins with a capital letter.
bool IsCapital(std::string_view word) {
  size_t first = 1;  // bytes of its first code point
  while (first < word.size() && (static_cast<unsigned char>(word[first]) & 0xC0) == 0x80) ++first;
  return NormalizeText(word.substr(0, first)) != word.substr(0, first);
}

// Capitalised, and neither a kind of thing, a title, a month nor a day of the week.
bool IsProper(std::string_view word) {
  return IsCapital(word) && word != "I" && !Among(kKindWords, word) && !Among(kMonths, word) &&
         !Among(kDays, word);
}

// Letters, digits and what is not ASCII (but for dashes and curly quotes: E2 80 ..) make a word.
bool IsWordByte(std::string_view text, size_t i) {
  const auto byte = static_cast<unsigned char>(text[i]);
  if (byte < 0x80) return absl::ascii_isalnum(byte);
  size_t lead = i;
  while (lead > 0 && (static_cast<unsigned char>(text[lead]) & 0xC0) == 0x80) --lead;
  return !text.substr(lead).starts_with("\xE2\x80");
}

// Calls `visit` with each word and its byte position.  "Berg's" is "Berg" and "s", "Anna-Lena" two
// words.
void ForEachWord(std::string_view text,
                 const std::function<void(size_t at, std::string_view word)>& visit) {
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && IsWordByte(text, end)) ++end;
    if (end > i) visit(i, text.substr(i, end - i));
    i = std::max(end, i + 1);
  }
}

std::string ReplaceWords(std::string_view text, const std::map<std::string, std::string>& names) {
  std::string replaced;
  size_t copied = 0;
  ForEachWord(text, [&](size_t at, std::string_view word) {
    const auto found = names.find(std::string(word));
    if (found == names.end()) return;
    replaced += text.substr(copied, at - copied);
    replaced += found->second;
    copied = at + word.size();
  });
  replaced += text.substr(copied);
  return replaced;
}

// The words of a name that are replaced: the proper ones; where there is none ("Grand Festival"),
// the first one with a capital.
std::vector<std::string> ReplacedWords(const std::string& name) {
  std::vector<std::string> proper;
  std::string first_capital;
  ForEachWord(name, [&](size_t, std::string_view word) {
    if (IsProper(word)) proper.emplace_back(word);
    if (first_capital.empty() && IsCapital(word) && word != "The") first_capital = word;
  });
  std::erase(proper, "The");
  if (proper.empty() && !first_capital.empty()) proper.push_back(first_capital);
  return proper;
}

// Draws one word that suits word `index` of `count` in a name of that type.
std::string InventWord(const std::string& type, size_t index, size_t count, Random& random) {
  if (type == "Location" || type == "Organization" || type == "Events") {
    return InventTown(random);
  }
  const bool last = index + 1 == count && count > 1;
  return last ? InventLastName(random) : InventFirstName(random);
}

// A text holds an invented word if one is part of the other: "Elton" would be found in "Kelton".
bool Clashes(const std::string& word, const std::set<std::string>& taken) {
  const std::string normal = NormalizeText(word);
  return std::any_of(taken.begin(), taken.end(), [&](const std::string& other) {
    return other.size() > 3 &&
           (other.find(normal) != std::string::npos || normal.find(other) != std::string::npos);
  });
}

// As InventWord, but no part of a taken word nor the other way round.  Where short words run out,
// longer ones are made: two entities never get one name.
std::string FreshWord(const std::string& type, size_t index, size_t count,
                      const std::set<std::string>& taken, Random& random) {
  std::string word = InventWord(type, index, count, random);
  for (int draw = 1; Clashes(word, taken); ++draw) {
    if (draw > kMaxDraws && !taken.contains(NormalizeText(word))) break;
    word = InventWord(type, index, count, random);
    if (draw > kMaxDraws) word += absl::AsciiStrToLower(InventLastName(random));
  }
  return word;
}

bool IsSentenceStart(std::string_view text, size_t at) {
  while (at > 0 && text[at - 1] == ' ') --at;
  if (at == 0 || kSentenceEnds.find(text[at - 1]) != std::string_view::npos) return true;
  return !IsWordByte(text, at - 1) && static_cast<unsigned char>(text[at - 1]) >= 0x80;
}

}  // namespace

void RenameEntities(Draft& draft, Random& random) {
  std::set<std::string> taken;
  ForEachWord(draft.passage,
              [&](size_t, std::string_view word) { taken.insert(NormalizeText(word)); });
  std::map<std::string, std::string> names;
  for (const Entity& entity : draft.entities) {
    const std::vector<std::string> words = ReplacedWords(entity.name);
    for (size_t i = 0; i < words.size(); ++i) {
      if (names.contains(words[i])) continue;
      names[words[i]] = FreshWord(entity.type, i, words.size(), taken, random);
      taken.insert(NormalizeText(names[words[i]]));
    }
  }
  draft.passage = ReplaceWords(draft.passage, names);
  for (Entity& entity : draft.entities) entity.name = ReplaceWords(entity.name, names);
  for (Fact& fact : draft.facts) {
    fact.subject = ReplaceWords(fact.subject, names);
    fact.attribute = ReplaceWords(fact.attribute, names);
    fact.value = ReplaceWords(fact.value, names);
  }
}

std::vector<std::string> UnlistedNames(const Draft& draft) {
  std::set<std::string> listed;
  for (const Entity& entity : draft.entities) {
    ForEachWord(entity.name, [&](size_t, std::string_view word) { listed.emplace(word); });
  }
  std::vector<std::string> unlisted;
  ForEachWord(draft.passage, [&](size_t at, std::string_view word) {
    if (!IsProper(word) || IsSentenceStart(draft.passage, at)) return;
    if (listed.emplace(word).second) unlisted.emplace_back(word);
  });
  return unlisted;
}

}  // namespace kvscope::orchestrator::llm
