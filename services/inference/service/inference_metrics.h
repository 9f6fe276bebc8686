// What an inference process tells Prometheus: its line to the orchestrator, units, phases, bytes.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/inference/flow/record.h"
#include "services/rpc/instruments.h"

namespace kvscope::inference {

struct InferenceMetrics {
  // Of the process; the first call puts everything on the page at 0.
  static const InferenceMetrics& Get();

  // What the evaluation of one passage took and made. `dtype`: EngineInfo::dtype.
  void AddPassage(const PassageRecord& record, std::string_view dtype) const;
  // Measures what the device can do with so many threads (0: all), for a worker of these options.
  // Errors: those of MakeOps.
  absl::Status MeasurePeaks(const std::string& device, int threads) const;

  rpc::Gauge connected, device_failed;
  rpc::Counter slices_halved;
  struct {  // leased units, by what became of them here
    rpc::Counter accepted, refused, failed, returned, cancelled;
  } units;
  rpc::Histogram unit_seconds;
  struct {  // of a passage
    rpc::Histogram prefill, score, decode, stream;
  } phase;
  rpc::Counter passages, streams;
  struct {
    rpc::Counter context, answer;
  } tokens;
  rpc::Counter kv_full_bytes, kv_kept_bytes, mask_bytes;
  rpc::Gauge cache_bytes;
  struct OfDtype {
    explicit OfDtype(const char* dtype);
    rpc::Counter prefill_operations, decode_operations, prefill_weight_bytes, decode_weight_bytes;
    rpc::Gauge peak_operations;
  };
  OfDtype float32{"float32"}, bfloat16{"bfloat16"};
  rpc::Gauge peak_memory_bytes;

 private:
  InferenceMetrics();
};

}  // namespace kvscope::inference
