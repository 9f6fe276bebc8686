// The page that Prometheus would read.
#pragma once

#include <string>

namespace kvscope::rpc {

// What http://127.0.0.1:PORT/metrics answers, headers and all.
std::string Scrape(int port);

}  // namespace kvscope::rpc
