// Ctrl-C as something that long work can ask about.
#pragma once

#include <csignal>

namespace kvscope::cli {

// While one of these lives, SIGINT and SIGTERM set a flag instead of ending the process; a second
// one ends it as usual.  One at a time.
class CatchInterrupt {
 public:
  CatchInterrupt();
  ~CatchInterrupt();
  CatchInterrupt(const CatchInterrupt&) = delete;
  CatchInterrupt& operator=(const CatchInterrupt&) = delete;

  // Whether a signal came since the last one was made.  From any thread.
  static bool Interrupted();

 private:
  struct sigaction before_int_, before_term_;
};

}  // namespace kvscope::cli
