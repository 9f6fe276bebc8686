#include "services/rpc/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace kvscope::rpc {
namespace {

prometheus::MetricFamily Family(const char* name, const char* help, prometheus::MetricType type,
                                double value) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {name, help, type, {metric}};
}

// When the machine started, in seconds since 1970; 0 if /proc does not tell.
double BootSeconds() {
  std::ifstream stat("/proc/stat");
  std::string word;
  while (stat >> word) {
    double seconds = 0;
    if (word == "btime" && stat >> seconds) return seconds;
  }
  return 0;
}

int64_t OpenFiles() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return -1;
  int64_t entries = 0;
  while (readdir(directory) != nullptr) ++entries;
  closedir(directory);
  return entries - 3;  // ".", ".." and the listing's own
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessStats() {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families;
  std::ifstream file("/proc/self/stat");
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  const size_t name_end = stat.rfind(')');  // a name may hold blanks
  if (name_end != std::string::npos) {
    std::istringstream rest(stat.substr(name_end + 1));
    std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
    if (fields.size() > 21) {  // proc(5): the first is field 3
      const auto field = [&](size_t number) { return std::stod(fields[number - 3]); };
      const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
      families.push_back(Family("process_cpu_seconds_total", "Processor time used.",
                                MetricType::Counter, (field(14) + field(15)) / ticks));
      families.push_back(
          Family("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge, field(23)));
      families.push_back(Family("process_resident_memory_bytes", "Resident memory.",
                                MetricType::Gauge,
                                field(24) * static_cast<double>(sysconf(_SC_PAGESIZE))));
      if (const double boot = BootSeconds(); boot > 0) {
        families.push_back(Family("process_start_time_seconds",
                                  "When the process started, in seconds since 1970.",
                                  MetricType::Gauge, boot + field(22) / ticks));
      }
    }
  }
  if (const int64_t open = OpenFiles(); open >= 0) {
    families.push_back(Family("process_open_fds", "Open file descriptors.", MetricType::Gauge,
                              static_cast<double>(open)));
  }
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    families.push_back(Family("process_max_fds", "Most file descriptors that may be open.",
                              MetricType::Gauge, static_cast<double>(limit.rlim_cur)));
  }
  return families;
}

}  // namespace kvscope::rpc
