// Finds the name a user probably meant, for error messages.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvscope::orchestrator {

// The Damerau-Levenshtein distance of two byte strings: the fewest insertions, deletions,
// substitutions and swaps of neighbours that turn one into the other; letters that were swapped may
// be edited again ("ca" is 2 from "abc").  O(|a|·|b|).  Source: Lowrance and Wagner 1975.
int EditDistance(std::string_view a, std::string_view b);

// The candidate closest to `name`, ASCII case ignored; ties go to the earlier candidate.  Nothing
// if the closest is further off than a third of the longer one's length, or 2 where that is more,
// or shares nothing with `name`.  Names of more than 100 bytes have no neighbour.
std::optional<std::string> NearestName(std::string_view name,
                                       std::span<const std::string_view> candidates);

// The tail of an error message: `; did you mean "x"? (known: a, b, x)`, or without the question
// where nothing is near.
std::string KnownNames(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace kvscope::orchestrator
