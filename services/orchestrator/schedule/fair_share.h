// FairShare: whose turn it is, by start-time fair queueing (Goyal, Vin and Cheng 1996).
#pragma once

#include <map>
#include <string>

namespace kvscope::orchestrator {

// Users with work get equal shares of it, measured in streams, at any number of workers. Somebody
// who comes back has no claim to what was not asked for meanwhile. Not kept over a restart: all
// begin anew then.
class FairShare {
 public:
  // Where the user's next unit stands: the lowest goes first. Ties are the caller's to break.
  double Start(const std::string& user) const;
  // The user's unit was given out.
  void Serve(const std::string& user, double streams);

 private:
  double now_ = 0;                        // start of the unit that was given out last
  std::map<std::string, double> finish_;  // of each user's last unit: as many as there are tokens
};

}  // namespace kvscope::orchestrator
