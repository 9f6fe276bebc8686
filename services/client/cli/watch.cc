#include "services/client/cli/watch.h"

#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/client/cli/interrupt.h"
#include "services/client/cli/terminal.h"
#include "services/rpc/grpc_status.h"

namespace kvscope::cli {
namespace {

bool Ended(const v1::Sweep& sweep) {
  return sweep.state() == v1::Sweep::SUCCEEDED || sweep.state() == v1::Sweep::FAILED ||
         sweep.state() == v1::Sweep::CANCELLED;
}

constexpr absl::Duration kPatience = absl::Minutes(5);  // without a word; as the Python client's
constexpr absl::Duration kPause = absl::Milliseconds(500);

// How long to wait before asking again; nothing where that is no use. A server that shuts down
// cancels calls that come too late.
std::optional<absl::Duration> PauseAfter(const absl::Status& status) {
  if (status.ok() || absl::IsUnavailable(status) || absl::IsCancelled(status)) return kPause;
  return rpc::RetryDelay(status);
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
  absl::Time last_heard = absl::Now();
  while (true) {
    grpc::ClientContext context;
    v1::WatchSweepRequest request;
    request.set_sweep(sweep_id);
    auto reader = session.stub().WatchSweep(&context, request);
    // Reading blocks; a Ctrl-C in between has to break it.
    std::atomic<bool> over = false;
    std::thread breaker([&] {
      while (!over && !CatchInterrupt::Interrupted() && session.worker_gone().ok()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
      if (!over) context.TryCancel();
    });
    while (reader->Read(&sweep)) {
      last_heard = absl::Now();
      bar.Update(sweep.progress().streams_done(), sweep.progress().streams_total(), Note(sweep));
    }
    over = true;
    breaker.join();
    const absl::Status status = rpc::FromGrpc(reader->Finish());
    if (CatchInterrupt::Interrupted()) return absl::CancelledError("interrupted");
    if (Ended(sweep)) break;
    if (const absl::Status gone = session.worker_gone(); !gone.ok()) {
      return absl::Status(
          gone.code(),
          absl::StrCat(gone.message(), "; the same command goes on with what is left"));
    }
    const std::optional<absl::Duration> pause = PauseAfter(status);
    const absl::Duration left = last_heard + kPatience - absl::Now();
    if (!pause.has_value() || *pause > left) {
      return absl::IsCancelled(status)
                 ? absl::UnavailableError("the orchestrator keeps cancelling the watch")
                 : status;
    }
    if (!status.ok()) {
      bar.Update(sweep.progress().streams_done(), sweep.progress().streams_total(),
                 absl::StrCat("the orchestrator does not answer, trying again for ",
                              Duration(absl::ToDoubleSeconds(left))));
    }
    absl::SleepFor(*pause);
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
