// Checkpointer: moves what was committed from the write-ahead log into the database file, on a
// thread and a connection of its own, so that commits do not wait for it.
#pragma once

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/orchestrator/store/database.h"

namespace kvscope::orchestrator {

// A pass copies what is in the log while the writer appends to it. But the log starts over only
// when all of it has been copied: once it is long, a commit itself copies the little that is left.
// Errors are left to the next commit that meets the same disk.
class Checkpointer {
 public:
  // `database`: a connection that nobody else uses, to the file that `writer` writes. Takes the
  // place of the writer's own checkpoints. The writer must outlive it, and not be used while it is
  // made or goes.
  Checkpointer(std::unique_ptr<Database> database, Database& writer);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

 private:
  static int Committed(void* self, sqlite3* connection, const char* schema, int log_pages);
  void Run();
  void Pass(sqlite3* connection);

  const std::unique_ptr<Database> database_;  // of the thread
  Database& writer_;
  absl::Mutex pass_mutex_;  // one pass at a time
  absl::Mutex mutex_;
  int log_pages_ ABSL_GUARDED_BY(mutex_) = 0;  // at the last commit
  int copied_pages_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kvscope::orchestrator
