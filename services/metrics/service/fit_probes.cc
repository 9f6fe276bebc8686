#include "services/metrics/service/fit_probes.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/metrics/probe/probe_corpus.h"
#include "services/status_macros.h"

namespace kvscope::metrics {
namespace {

void Fill(const ScoreInterval& score, v1::Interval& proto) {
  proto.set_value(score.value);
  if (score.low) proto.set_low(*score.low);
  if (score.high) proto.set_high(*score.high);
}

v1::ProbeFit ToProto(ProbeCell cell, int layer, const ProbeFit& fit) {
  v1::ProbeFit proto;
  proto.set_press_index(cell.press_index);
  proto.set_ratio_index(cell.ratio_index);
  proto.set_layer(layer);
  if (fit.macro_f1) Fill(*fit.macro_f1, *proto.mutable_macro_f1());
  for (const ProbeTag& tag : fit.tags) {
    v1::ProbeFit::Tag& added = *proto.add_tags();
    added.set_tag(tag.tag);
    if (tag.f1) Fill(*tag.f1, *added.mutable_f1());
    added.set_count(tag.validation_count);
    added.set_note(tag.note);
  }
  proto.set_train_count(fit.train_count);
  proto.set_validation_count(fit.validation_count);
  proto.set_note(fit.note);
  return proto;
}

absl::StatusOr<ProbeCorpus> OpenCorpus(const FeatureStore& store,
                                       const v1::FitProbesRequest& request) {
  std::vector<std::shared_ptr<const UnitFeatures>> units;
  for (const std::string& key : request.unit_keys()) {
    KVSCOPE_ASSIGN_OR_RETURN(std::shared_ptr<const UnitFeatures> unit, store.Read(key));
    units.push_back(std::move(unit));
  }
  return ProbeCorpus::Make(std::move(units));
}

}  // namespace

absl::Status FitProbes(const FeatureStore* store, const v1::FitProbesRequest& request,
                       const FitHooks& hooks) {
  if (store == nullptr) {
    return absl::FailedPreconditionError(
        "this metrics service has no folder for hidden states (its --store)");
  }
  KVSCOPE_ASSIGN_OR_RETURN(const ProbeCorpus corpus, OpenCorpus(*store, request));
  ProbeOptions options;
  options.seed = request.seed();
  if (request.l2() != 0) options.softmax.l2 = request.l2();
  std::vector<int> layers = corpus.shape().layers;
  if (layers.size() > 1) layers.push_back(kAllLayers);
  const auto& wanted = request.ratio_indices();
  for (const ProbeCell cell : corpus.cells()) {
    if (!wanted.empty() && std::count(wanted.begin(), wanted.end(), cell.ratio_index) == 0)
      continue;
    KVSCOPE_ASSIGN_OR_RETURN(const CellProbe probe, CellProbe::Make(corpus, cell, options));
    for (const int layer : layers) {
      if (hooks.cancelled()) return absl::CancelledError("cancelled");
      KVSCOPE_ASSIGN_OR_RETURN(const ProbeFit fit, probe.Fit(layer));
      KVSCOPE_RETURN_IF_ERROR(hooks.emit(ToProto(cell, layer, fit)));
    }
  }
  return absl::OkStatus();
}

}  // namespace kvscope::metrics
