// Which KVScope this is.
#pragma once

namespace kvscope {

// Of the release; CMakeLists.txt has the same.
inline constexpr const char* kVersion = "0.1.0";

// Raise it with every change that alters what a unit yields: it is part of every unit's key,
// so that results of the code before are not taken for results of this one.
inline constexpr int kResultsVersion = 4;

}  // namespace kvscope
