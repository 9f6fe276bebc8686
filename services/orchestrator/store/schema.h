// Schema: the store's tables, and how an older store becomes a newer one.
#pragma once

#include "absl/status/status.h"
#include "services/orchestrator/store/database.h"

namespace kvscope::orchestrator {

inline constexpr int kSchemaVersion = 4;
inline constexpr int kApplicationId = 0x4b565343;  // "KVSC" in the file's header

// Brings the file to kSchemaVersion in one exclusive transaction; a new file gets all tables.
// Errors: FailedPrecondition for a store of a newer program (says both versions),
// InvalidArgument for another program's SQLite file.
absl::Status Migrate(Database& database);

}  // namespace kvscope::orchestrator
