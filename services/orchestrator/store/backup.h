// A copy of a store that a running orchestrator may be writing meanwhile.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace kvscope::orchestrator {

// Writes the store `path`, as it stands at one moment, to the new file `target`: compact, complete
// and on disk once it is there (a broken-off copy is `target`.partial). Writers are not held up;
// the write-ahead log grows by what they write meanwhile. Units that were leased then are leased
// anew by the orchestrator that opens the copy. Errors: NotFound (no such store or folder),
// AlreadyExists (`target`), InvalidArgument (not a store), ResourceExhausted (no space, not
// writable).
absl::Status BackUp(const std::string& path, const std::string& target);

}  // namespace kvscope::orchestrator
