#include "services/orchestrator/store/checkpointer.h"

#include <sqlite3.h>

#include <utility>

namespace kvscope::orchestrator {
namespace {

constexpr int kPassPages = 256;   // 4 MiB of log: a pass
constexpr int kLongPages = 4096;  // 64 MiB of log: it must start over

}  // namespace

Checkpointer::Checkpointer(std::unique_ptr<Database> database, Database& writer)
    : database_(std::move(database)), writer_(writer) {
  sqlite3_wal_hook(writer_.handle(), &Checkpointer::Committed, this);
  thread_ = std::thread([this] { Run(); });
}

Checkpointer::~Checkpointer() {
  sqlite3_wal_hook(writer_.handle(), nullptr, nullptr);
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

int Checkpointer::Committed(void* self, sqlite3* connection, const char*, int log_pages) {
  auto* checkpointer = static_cast<Checkpointer*>(self);
  if (log_pages >= kLongPages) checkpointer->Pass(connection);
  const absl::MutexLock lock(&checkpointer->mutex_);
  const bool started_over = log_pages < checkpointer->log_pages_;
  if (started_over) checkpointer->copied_pages_ = 0;
  checkpointer->log_pages_ = log_pages;
  return SQLITE_OK;
}

void Checkpointer::Run() {
  const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || log_pages_ - copied_pages_ >= kPassPages;
  };
  while (true) {
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&due));
      if (stopping_) return;
      copied_pages_ = log_pages_;  // what a reader keeps from being copied goes with a later pass
    }
    Pass(database_->handle());
  }
}

void Checkpointer::Pass(sqlite3* connection) {
  const absl::MutexLock lock(&pass_mutex_);
  sqlite3_wal_checkpoint_v2(connection, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

}  // namespace kvscope::orchestrator
