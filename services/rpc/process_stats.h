// What the system knows of this process, under the names that all Prometheus clients use.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace kvscope::rpc {

// process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
// process_start_time_seconds, process_open_fds, process_max_fds. Read from /proc at every call;
// what cannot be read is left out.
std::vector<prometheus::MetricFamily> ProcessStats();

}  // namespace kvscope::rpc
