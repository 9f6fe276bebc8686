// kvscope sweeps list|show|watch|cancel|delete
#include <google/protobuf/util/json_util.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/client/cli/cells.h"
#include "services/client/cli/command.h"
#include "services/client/cli/model_labels.h"
#include "services/client/cli/session.h"
#include "services/client/cli/terminal.h"
#include "services/client/cli/watch.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

struct Options {
  SessionOptions session;
  std::string sweep;
  bool json = false;
};

std::string StateText(v1::Sweep::State state) {
  std::string name = v1::Sweep::State_Name(state);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

absl::Status PrintJson(const google::protobuf::Message& message) {
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) {
    return absl::InternalError("the answer cannot be written as JSON");
  }
  std::cout << text << '\n';
  return absl::OkStatus();
}

std::string ProgressText(const v1::Progress& progress) {
  return absl::StrCat(progress.units_done(), "/", progress.units_total(), " units");
}

absl::Status List(const Options& options) {
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options.session, 0));
  v1::ListSweepsRequest request;
  Table table({"id", "name", "state", "owner", "model", "created", "progress"}, 6);
  do {
    v1::ListSweepsResponse response;
    KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
      rpc::UnaryContext context;
      return rpc::FromGrpc(session->stub().ListSweeps(&context, request, &response));
    }));
    for (const v1::Sweep& sweep : response.sweeps()) {
      if (options.json) {
        KVSCOPE_RETURN_IF_ERROR(PrintJson(sweep));  // one object a line
        continue;
      }
      const std::time_t created = sweep.create_time().seconds();
      char when[32];
      std::strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", std::localtime(&created));
      table.AddRow({sweep.id(), sweep.spec().name(), StateText(sweep.state()),
                    sweep.owner().empty() ? "-" : sweep.owner(),
                    absl::StrJoin(ModelsOf(sweep), ", "), when, ProgressText(sweep.progress())});
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (!options.json) table.Print(std::cout);
  return absl::OkStatus();
}

void AddModel(const std::string& name, const v1::ModelInfo& info, Table& table) {
  table.AddRow({"model", name});
  if (info.weights_digest().empty()) return;  // not checked yet
  table.AddRow({"weights", info.weights_digest()});
  table.AddRow({"device", absl::StrCat(info.device(), " ", info.dtype())});
}

void PrintSweep(const v1::Sweep& sweep) {
  const v1::SweepSpec& spec = sweep.spec();
  Table table({"sweep", sweep.id()}, 2);
  table.AddRow({"name", spec.name()});
  table.AddRow({"state", StateText(sweep.state())});
  if (!sweep.error().empty()) table.AddRow({"error", sweep.error()});
  if (!sweep.owner().empty()) table.AddRow({"owner", sweep.owner()});
  if (sweep.priority() != 0) table.AddRow({"priority", absl::StrCat(sweep.priority())});
  table.AddRow({"progress", ProgressText(sweep.progress())});
  table.AddRow({"answers", absl::StrCat(Thousands(sweep.progress().streams_done()), " of ",
                                        Thousands(sweep.progress().streams_total()))});
  AddModel(spec.model(), sweep.model(), table);
  for (int i = 0; i < spec.more_models_size(); ++i) {
    const bool checked = i < sweep.more_models_size();
    AddModel(spec.more_models(i),
             checked ? sweep.more_models(i) : v1::ModelInfo::default_instance(), table);
  }
  for (const v1::Dataset& dataset : spec.datasets()) {
    table.AddRow({"data set", absl::StrCat(dataset.name(), ": ", dataset.passage_count(),
                                           " passages, ", dataset.question_count(), " questions")});
  }
  for (const int regime : spec.regimes()) {
    table.AddRow({"regime", RegimeText(static_cast<v1::Regime>(regime))});
  }
  for (const std::string& press : spec.presses()) table.AddRow({"press", press});
  std::string ratios;
  for (const double ratio : spec.ratios()) absl::StrAppend(&ratios, NumberText(ratio), " ");
  table.AddRow({"ratios", ratios});
  table.Print(std::cout);
}

// Calls one of the methods that take a sweep and return it.
template <typename Request>
absl::Status CallAndShow(const Options& given,
                         grpc::Status (v1::OrchestratorService::Stub::*call)(grpc::ClientContext*,
                                                                             const Request&,
                                                                             v1::Sweep*)) {
  Options options = given;
  KVSCOPE_ASSIGN_OR_RETURN(const std::string id, ResolveSweep(options.sweep, options.session));
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options.session, 0));
  Request request;
  request.set_sweep(id);
  if constexpr (requires { request.set_request_id(""); }) request.set_request_id(NewRequestId());
  v1::Sweep sweep;
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::UnaryContext context;
    return rpc::FromGrpc((session->stub().*call)(&context, request, &sweep));
  }));
  if (options.json) return PrintJson(sweep);
  PrintSweep(sweep);
  return absl::OkStatus();
}

absl::Status Watch(Options options) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::string id, ResolveSweep(options.sweep, options.session));
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options.session, 0));
  KVSCOPE_ASSIGN_OR_RETURN(const v1::Sweep sweep, WatchUntilEnd(*session, id, id));
  PrintSweep(sweep);
  return absl::OkStatus();
}

absl::Status Delete(Options options) {
  KVSCOPE_ASSIGN_OR_RETURN(const std::string id, ResolveSweep(options.sweep, options.session));
  KVSCOPE_ASSIGN_OR_RETURN(auto session, Session::Open(options.session, 0));
  v1::DeleteSweepRequest request;
  request.set_sweep(id);
  request.set_request_id(NewRequestId());
  v1::DeleteSweepResponse response;
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::UnaryContext context;
    return rpc::FromGrpc(session->stub().DeleteSweep(&context, request, &response));
  }));
  session->AwaitCollected();
  std::cerr << "deleted sweep " << id << '\n';
  return absl::OkStatus();
}

}  // namespace

void AddSweeps(CLI::App& app, Action& action) {
  CLI::App* sweeps = app.add_subcommand("sweeps", "Sweeps of a cluster or a local store");
  sweeps->require_subcommand(1);
  sweeps->footer(
      "Example:\n  kvscope sweeps list\n  kvscope sweeps show kvscope-out/pocket --json");
  auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* help, bool takes_sweep, bool json) {
    CLI::App* command = sweeps->add_subcommand(name, help);
    AddSessionOptions(*command, options->session);
    if (takes_sweep) {
      command->add_option("SWEEP", options->sweep, "an id, a unique name, or run's directory")
          ->required();
    }
    if (json) command->add_flag("--json", options->json, "print JSON, one object a line");
    return command;
  };
  add("list", "List sweeps, newest first", false, true)->callback([options, &action] {
    action = [options] { return List(*options); };
  });
  add("show", "Show one sweep", true, true)->callback([options, &action] {
    action = [options] { return CallAndShow(*options, &v1::OrchestratorService::Stub::GetSweep); };
  });
  add("watch", "Follow a sweep until it ends", true, false)->callback([options, &action] {
    action = [options] { return Watch(*options); };
  });
  add("cancel", "Stop a sweep; what is recorded stays", true, true)->callback([options, &action] {
    action = [options] {
      return CallAndShow(*options, &v1::OrchestratorService::Stub::CancelSweep);
    };
  });
  add("delete", "Remove an ended sweep and its results", true, false)->callback([options, &action] {
    action = [options] { return Delete(*options); };
  });
}

}  // namespace kvscope::cli
