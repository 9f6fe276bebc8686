#include "services/client/cli/submit.h"

#include <openssl/evp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/client/cli/model_labels.h"
#include "services/client/cli/session.h"
#include "services/orchestrator/datasets/source.h"
#include "services/rpc/call_policy.h"
#include "services/rpc/channel.h"
#include "services/rpc/grpc_status.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kOwnTokenizer[] = "model";

v1::Passage PassageProto(const orchestrator::Passage& passage) {
  v1::Passage proto;
  proto.set_dataset(passage.dataset);
  proto.set_passage_id(passage.passage_id);
  proto.set_context(passage.context);
  for (const orchestrator::Question& from : passage.questions) {
    v1::Question& to = *proto.add_questions();
    to.set_question_id(from.question_id);
    to.set_question(from.question);
    to.set_answer(from.answer);
    for (const std::string& alias : from.aliases) to.add_aliases(alias);
    to.set_direction(from.direction);
    to.set_answer_type(from.answer_type);
    to.set_question_type(from.question_type);
    to.set_hop(static_cast<int32_t>(from.hop));
    for (const orchestrator::Evidence& from_span : from.evidence) {
      v1::Span& span = *to.add_evidence();
      span.set_begin(static_cast<int32_t>(from_span.start));
      span.set_end(static_cast<int32_t>(from_span.end));
    }
  }
  return proto;
}

// One UploadDataset call: batches passages into messages of about half a MiB.
class Upload {
 public:
  Upload(v1::OrchestratorService::Stub& stub, const std::string& name)
      : writer_(stub.UploadDataset(&context_, &dataset_)) {
    request_.set_name(name);
  }

  // False: the service ended the call; Finish says why.
  bool Add(const v1::Passage& passage) {
    bytes_ += passage.ByteSizeLong();
    *request_.add_passages() = passage;
    return bytes_ < rpc::kChunkBytes / 2 || Flush();
  }

  absl::StatusOr<v1::Dataset> Finish() {
    if (request_.passages_size() > 0) Flush();
    writer_->WritesDone();
    const grpc::Status status = writer_->Finish();
    if (!status.ok()) return rpc::FromGrpc(status);
    return dataset_;
  }

 private:
  bool Flush() {
    const bool written = writer_->Write(request_);
    request_.Clear();
    bytes_ = 0;
    return written;
  }

  rpc::StreamContext context_;
  v1::Dataset dataset_;
  std::unique_ptr<grpc::ClientWriter<v1::UploadDatasetRequest>> writer_;
  v1::UploadDatasetRequest request_;
  size_t bytes_ = 0;
};

absl::Status UploadDatasets(v1::OrchestratorService::Stub& stub, const orchestrator::Sweep& sweep,
                            const std::string& directory, v1::SweepSpec& spec) {
  KVSCOPE_ASSIGN_OR_RETURN(orchestrator::PassageSource source,
                           orchestrator::PassageSource::Open(sweep, directory));
  std::unique_ptr<Upload> upload;
  size_t entry = 0;
  const auto finish = [&]() -> absl::Status {
    if (upload == nullptr) return absl::OkStatus();
    KVSCOPE_ASSIGN_OR_RETURN(*spec.add_datasets(), upload->Finish());
    return absl::OkStatus();
  };
  while (true) {
    KVSCOPE_ASSIGN_OR_RETURN(const std::optional<orchestrator::Passage> passage, source.Next());
    if (!passage.has_value()) return finish();
    if (upload == nullptr || source.entry() != entry) {
      KVSCOPE_RETURN_IF_ERROR(finish());
      entry = source.entry();
      upload = std::make_unique<Upload>(stub, passage->dataset);
    }
    if (!upload->Add(PassageProto(*passage))) return finish();  // refused: Finish says why
  }
}

v1::Regime RegimeProto(orchestrator::Regime regime) {
  switch (regime) {
    case orchestrator::Regime::kAware:
      return v1::AWARE;
    case orchestrator::Regime::kAwareEach:
      return v1::AWARE_EACH;
    case orchestrator::Regime::kAgnostic:
      break;
  }
  return v1::AGNOSTIC;
}

v1::SweepSpec SpecProto(const orchestrator::Sweep& sweep, const ModelNames& names) {
  v1::SweepSpec spec;
  spec.set_name(sweep.name);
  spec.set_model(names.models.front());
  for (size_t i = 1; i < names.models.size(); ++i) spec.add_more_models(names.models[i]);
  spec.set_device(sweep.device);
  spec.set_dtype(sweep.dtype);
  for (const auto regime : sweep.regimes) spec.add_regimes(RegimeProto(regime));
  for (const std::string& press : sweep.presses) spec.add_presses(press);
  for (const double ratio : sweep.ratios) spec.add_ratios(ratio);
  spec.set_max_new_tokens(static_cast<int32_t>(sweep.max_new_tokens));
  v1::Prompt& prompt = *spec.mutable_prompt();
  const auto& pieces = sweep.prompt;
  if (pieces.instruction) prompt.set_instruction(*pieces.instruction);
  if (pieces.aware_line) prompt.set_aware_line(*pieces.aware_line);
  if (pieces.question_prefix) prompt.set_question_prefix(*pieces.question_prefix);
  if (pieces.question_suffix) prompt.set_question_suffix(*pieces.question_suffix);
  if (pieces.answer_prefix) prompt.set_answer_prefix(*pieces.answer_prefix);
  v1::Capture& capture = *spec.mutable_capture();
  capture.set_consensus(sweep.capture.consensus);
  capture.set_heatmap_passages(static_cast<int32_t>(sweep.capture.heatmap_passages));
  if (sweep.capture.graph_passages > 0) {
    capture.set_graph_passages(static_cast<int32_t>(sweep.capture.graph_passages));
    capture.set_graph_epsilon(sweep.capture.graph_epsilon);
  }
  capture.set_probe_pool(sweep.capture.probe_pool);
  for (const int64_t layer : sweep.capture.probe_layers) {
    capture.add_probe_layers(static_cast<int32_t>(layer));
  }
  v1::Scoring& scoring = *spec.mutable_scoring();
  scoring.set_tokenizer(names.scoring_tokenizer);
  scoring.set_correct_min_f1(sweep.score.correct_f1);
  scoring.set_partial_above_f1(sweep.score.partial_f1);
  for (const std::string& phrase : sweep.score.abstentions) scoring.add_abstentions(phrase);
  spec.set_seed(sweep.seed);
  return spec;
}

absl::StatusOr<std::string> DirectoryPath(const std::string& field, const std::string& directory,
                                          const std::string& sweep_path) {
  std::error_code error;
  if (fs::is_directory(directory, error)) return directory;
  const fs::path beside = fs::path(sweep_path).parent_path() / directory;
  if (fs::is_directory(beside, error)) return beside.string();
  return absl::NotFoundError(absl::StrCat(sweep_path, ": ", field, ": no directory ", directory,
                                          " here, nor ", beside.string()));
}

// The same spec gives the same id, so that a repeated submission is the same sweep.
std::string RequestId(const v1::SweepSpec& spec) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const std::string bytes = spec.SerializeAsString();  // no maps in it: equal specs, equal bytes
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return absl::StrCat("run-", absl::BytesToHexString(
                                  absl::string_view(reinterpret_cast<const char*>(digest), size)));
}

}  // namespace

absl::StatusOr<v1::Sweep> Submit(v1::OrchestratorService::Stub& stub,
                                 const orchestrator::Sweep& sweep, const std::string& sweep_path,
                                 const ModelNames& names, int priority) {
  v1::CreateSweepRequest request;
  request.set_priority(priority);
  *request.mutable_spec() = SpecProto(sweep, names);
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    request.mutable_spec()->clear_datasets();
    return UploadDatasets(stub, sweep, fs::path(sweep_path).parent_path().string(),
                          *request.mutable_spec());
  }));
  request.set_request_id(RequestId(request.spec()));
  v1::Sweep created;
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::UnaryContext context;
    return rpc::FromGrpc(stub.CreateSweep(&context, request, &created));
  }));
  if (created.state() != v1::Sweep::FAILED && created.state() != v1::Sweep::CANCELLED) {
    return created;
  }
  v1::ResumeSweepRequest resume;
  resume.set_sweep(created.id());
  resume.set_request_id(NewRequestId());
  KVSCOPE_RETURN_IF_ERROR(rpc::CallPatiently([&] {
    rpc::UnaryContext context;
    return rpc::FromGrpc(stub.ResumeSweep(&context, resume, &created));
  }));
  return created;
}

absl::StatusOr<ModelNames> LocalNames(const orchestrator::Sweep& sweep,
                                      const std::string& sweep_path) {
  ModelNames names;
  for (size_t i = 0; i < sweep.models.size(); ++i) {
    const std::string field = ModelField(sweep, i);
    KVSCOPE_ASSIGN_OR_RETURN(const std::string directory,
                             DirectoryPath(field, sweep.models[i], sweep_path));
    for (size_t j = 0; j < i; ++j) {
      std::error_code error;
      if (!fs::equivalent(directory, names.models[j], error)) continue;
      return absl::InvalidArgumentError(absl::StrCat(sweep_path, ": ", field, ": ", directory,
                                                     " is the same directory as ",
                                                     ModelField(sweep, j), ", ", names.models[j]));
    }
    names.models.push_back(directory);
  }
  names.scoring_tokenizer = sweep.score.tokenizer;
  if (names.scoring_tokenizer == kOwnTokenizer) return names;
  KVSCOPE_ASSIGN_OR_RETURN(names.scoring_tokenizer,
                           DirectoryPath("score.tokenizer", sweep.score.tokenizer, sweep_path));
  return names;
}

absl::StatusOr<ModelNames> ClusterNames(const orchestrator::Sweep& sweep,
                                        const std::string& sweep_path) {
  ModelNames names;
  for (size_t i = 0; i < sweep.models.size(); ++i) {
    const std::string name = LastName(sweep.models[i]);
    const auto same = std::find(names.models.begin(), names.models.end(), name);
    if (same != names.models.end()) {
      const auto j = static_cast<size_t>(same - names.models.begin());
      return absl::InvalidArgumentError(
          absl::StrCat(sweep_path, ": ", ModelField(sweep, i), ": ", sweep.models[i], " and ",
                       ModelField(sweep, j), ", ", sweep.models[j], ", are both called ", name,
                       " on a cluster, which knows models by the last part of their path"));
    }
    names.models.push_back(name);
  }
  names.scoring_tokenizer = LastName(sweep.score.tokenizer);
  return names;
}

void AddModelOption(CLI::App& command, std::vector<std::string>& models) {
  command
      .add_option(
          "--model", models,
          "a model directory to run instead of the sweep file's; may be given several times")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

absl::StatusOr<orchestrator::Sweep> LoadSweep(const std::string& path,
                                              const std::vector<std::string>& models) {
  KVSCOPE_ASSIGN_OR_RETURN(orchestrator::Sweep sweep, orchestrator::LoadSweep(path));
  if (std::find(models.begin(), models.end(), "") != models.end()) {
    return absl::InvalidArgumentError("--model: is empty, must be a directory");
  }
  if (!models.empty()) sweep.models = models;
  return sweep;
}

std::string ModelField(const orchestrator::Sweep& sweep, size_t ordinal) {
  return sweep.models.size() == 1 ? "model" : absl::StrCat("model[", ordinal, "]");
}

}  // namespace kvscope::cli
