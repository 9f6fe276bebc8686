// Many workers on one orchestrator.
#include <grpcpp/client_context.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "services/rpc/channel.h"
#include "tests/bench/orchestrator/phases.h"
#include "tests/bench/orchestrator/simulated_worker.h"

namespace kvscope::bench {
namespace {

using Stub = v1::OrchestratorService::Stub;

constexpr absl::Duration kPatience = absl::Minutes(20);

v1::Sweep Get(Stub& stub, const std::string& name) {
  grpc::ClientContext context;
  v1::GetSweepRequest request;
  request.set_sweep(name);
  v1::Sweep sweep;
  stub.GetSweep(&context, request, &sweep);
  return sweep;
}

v1::Sweep Create(Stub& stub, const SweepGrid& grid) {
  const v1::Sweep filled = Get(stub, kFilledSweep);
  const auto& datasets = filled.spec().datasets();
  grpc::ClientContext context;
  v1::CreateSweepRequest request;
  *request.mutable_spec() =
      MakeSpec(grid, "scale-workers", /*seed=*/2, {datasets.begin(), datasets.end()});
  request.set_request_id("workers");
  v1::Sweep sweep;
  stub.CreateSweep(&context, request, &sweep);
  return sweep;
}

// Units that are not done, or took more than one attempt.
int64_t CountUnsound(Stub& stub, const std::string& sweep) {
  int64_t unsound = 0;
  v1::ListUnitsRequest request;
  request.set_sweep(sweep);
  request.set_page_size(1000);
  do {
    grpc::ClientContext context;
    v1::ListUnitsResponse response;
    if (!stub.ListUnits(&context, request, &response).ok()) return -1;
    for (const v1::UnitStatus& unit : response.units()) {
      if (unit.state() != v1::UnitStatus::DONE || unit.attempts() != 1) ++unsound;
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return unsound;
}

}  // namespace

nlohmann::json WorkOff(const SweepGrid& grid, const std::string& address, int workers,
                       absl::Duration think) {
  const auto channel = rpc::Dial(address, {});
  if (!channel.ok()) return nullptr;
  const auto stub = v1::OrchestratorService::NewStub(*channel);
  std::vector<std::unique_ptr<SimulatedWorker>> crew;
  std::vector<WorkerLog> logs(static_cast<size_t>(workers));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < logs.size(); ++i) {
    crew.push_back(
        std::make_unique<SimulatedWorker>(address, absl::StrCat("worker-", i), grid, think));
    threads.emplace_back([&crew, &logs, i] { logs[i] = crew[i]->Work(); });
  }
  const absl::Time begin = absl::Now();
  v1::Sweep sweep = Create(*stub, grid);
  while (sweep.state() < v1::Sweep::SUCCEEDED && absl::Now() - begin < kPatience) {
    absl::SleepFor(absl::Milliseconds(100));
    sweep = Get(*stub, sweep.id());
  }
  const absl::Duration took = absl::Now() - begin;
  for (const auto& worker : crew) worker->Stop();
  for (std::thread& thread : threads) thread.join();

  std::vector<absl::Duration> dispatch, ack;
  std::set<std::string> keys;
  int64_t accepted = 0;
  nlohmann::json errors = nlohmann::json::array();
  for (const WorkerLog& log : logs) {
    dispatch.insert(dispatch.end(), log.dispatch.begin(), log.dispatch.end());
    ack.insert(ack.end(), log.ack.begin(), log.ack.end());
    keys.insert(log.accepted_keys.begin(), log.accepted_keys.end());
    accepted += static_cast<int64_t>(log.accepted_keys.size());
    for (const std::string& error : log.errors) errors.push_back(error);
  }
  const size_t error_count = errors.size();
  if (errors.size() > 10) errors.erase(errors.begin() + 10, errors.end());
  return {{"state", v1::Sweep::State_Name(sweep.state())},
          {"units", sweep.progress().units_total()},
          {"units_accepted", accepted},
          {"units_twice", accepted - static_cast<int64_t>(keys.size())},
          {"units_unsound", CountUnsound(*stub, sweep.id())},
          {"errors", error_count},
          {"error_examples", errors},
          {"seconds", absl::ToDoubleSeconds(took)},
          {"dispatch_ms", Quantiles(dispatch)},
          {"ack_ms", Quantiles(ack)}};
}

}  // namespace kvscope::bench
