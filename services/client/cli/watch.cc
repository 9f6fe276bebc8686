#include "services/client/cli/watch.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "services/client/cli/interrupt.h"
#include "services/client/cli/terminal.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::cli {
namespace {

bool Ended(const v1::Sweep& sweep) {
  return sweep.state() == v1::Sweep::SUCCEEDED || sweep.state() == v1::Sweep::FAILED ||
         sweep.state() == v1::Sweep::CANCELLED;
}

// Whether to ask again. A server that shuts down cancels calls that come too late.
bool MayRecover(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::CANCELLED;
}

std::string Note(const v1::Sweep& sweep) {
  const v1::Progress& progress = sweep.progress();
  if (sweep.state() == v1::Sweep::CHECKING) {
    return progress.workers() > 0 ? "checking the sweep" : "waiting for a worker";
  }
  std::string note = absl::StrCat(progress.units_done(), "/", progress.units_total(), " units");
  if (progress.workers() == 0) absl::StrAppend(&note, ", waiting for a worker");
  if (progress.units_failed() > 0) absl::StrAppend(&note, ", ", progress.units_failed(), " failed");
  return note;
}

}  // namespace

absl::StatusOr<v1::Sweep> WatchUntilEnd(Session& session, const std::string& sweep_id,
                                        const std::string& label) {
  const CatchInterrupt catch_interrupt;
  ProgressBar bar(label);
  v1::Sweep sweep;
  for (int failures = 0; !Ended(sweep);) {
    grpc::ClientContext context;
    v1::WatchSweepRequest request;
    request.set_sweep(sweep_id);
    auto reader = session.stub().WatchSweep(&context, request);
    // Reading blocks; a Ctrl-C in between has to break it.
    std::atomic<bool> over = false;
    std::thread breaker([&] {
      while (!over && !CatchInterrupt::Interrupted()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
      if (!over) context.TryCancel();
    });
    while (reader->Read(&sweep)) {
      failures = 0;
      bar.Update(sweep.progress().streams_done(), sweep.progress().streams_total(), Note(sweep));
    }
    over = true;
    breaker.join();
    const grpc::Status status = reader->Finish();
    if (CatchInterrupt::Interrupted()) return absl::CancelledError("interrupted");
    if (Ended(sweep)) break;
    if (!status.ok() && (!MayRecover(status) || ++failures > 20)) {
      return status.error_code() == grpc::StatusCode::CANCELLED
                 ? absl::UnavailableError("the orchestrator keeps cancelling the watch")
                 : rpc::FromGrpc(status);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  bar.Finish();
  if (sweep.state() == v1::Sweep::FAILED) {
    // A refusal by the check is the user's to mend; failed units are not.
    return sweep.progress().units_total() == 0 ? absl::InvalidArgumentError(sweep.error())
                                               : absl::AbortedError(sweep.error());
  }
  if (sweep.state() == v1::Sweep::CANCELLED) {
    return absl::AbortedError(absl::StrCat("sweep ", sweep_id, " was cancelled"));
  }
  return sweep;
}

}  // namespace kvscope::cli
