#include "services/orchestrator/store/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/database.h"
#include "services/orchestrator/store/schema.h"
#include "services/status_macros.h"

namespace kvscope::orchestrator {
namespace {

namespace fs = std::filesystem;

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::ResourceExhaustedError(
      absl::StrCat("cannot write ", path, ": ", std::strerror(error)));
}

// A file's bytes or a folder's names.
absl::Status Sync(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return CannotWrite(path, errno);
  const int code = fsync(descriptor);
  const int error = errno;
  close(descriptor);
  return code == 0 ? absl::OkStatus() : CannotWrite(path, error);
}

absl::Status CheckPaths(const std::string& path, const fs::path& target) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    return absl::NotFoundError(absl::StrCat("there is no store ", path));
  }
  if (fs::exists(target, ignored)) {
    return absl::AlreadyExistsError(
        absl::StrCat(target.string(), " exists already: a backup never overwrites one"));
  }
  if (!fs::is_directory(target.parent_path(), ignored)) {
    return absl::NotFoundError(
        absl::StrCat("there is no folder ", target.parent_path().string(), " for the backup"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BackUp(const std::string& path, const std::string& target) {
  const fs::path final_path = fs::absolute(target);
  KVSCOPE_RETURN_IF_ERROR(CheckPaths(path, final_path));
  const std::string partial = final_path.string() + ".partial";
  std::error_code error;
  fs::remove(partial, error);
  {
    KVSCOPE_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path));
    KVSCOPE_ASSIGN_OR_RETURN(const int64_t owner, database->Number("PRAGMA application_id"));
    if (owner != kApplicationId) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is not a KVScope store: it is another program's SQLite database"));
    }
    KVSCOPE_RETURN_IF_ERROR(database->Run("VACUUM INTO ?", partial));
  }
  KVSCOPE_RETURN_IF_ERROR(Sync(partial));
  fs::rename(partial, final_path, error);
  if (error) return CannotWrite(final_path, error.value());
  return Sync(final_path.parent_path());
}

}  // namespace kvscope::orchestrator
