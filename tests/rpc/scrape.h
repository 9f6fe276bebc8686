// The page that Prometheus would read.
#pragma once

#include <string>

namespace kvscope::rpc {

// Where this process serves it: an endpoint that the first call starts and nobody ends, for ending
// one takes two seconds.
int ScrapePort();

// What http://127.0.0.1:ScrapePort()/metrics answers, headers and all.
std::string Scrape();

}  // namespace kvscope::rpc
