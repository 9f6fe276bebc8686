// What a client does in these tests: submits the pocket sweep, waits, reads the answers.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kvscope/v1/orchestrator.grpc.pb.h"
#include "tests/cluster/deployment.h"

namespace kvscope::cluster_test {

// pocket-llama, `passages` small passages with three questions each, 2 presses x 3 ratios.
v1::SweepSpec PocketSweep();
std::vector<v1::Passage> PocketPassages(int passages);

// Every call fails the test if it fails, and is made again while the orchestrator is away.
class Client {
 public:
  explicit Client(Deployment& deployment) : deployment_(deployment) {}

  // Uploads the passages and submits the sweep over them.
  v1::Sweep Submit(const std::string& request_id, v1::SweepSpec spec,
                   const std::vector<v1::Passage>& passages);
  // The two steps of it, for several data sets.
  v1::Dataset Upload(const std::string& name, std::span<const v1::Passage> passages);
  v1::Sweep Create(const std::string& request_id, const v1::SweepSpec& spec);
  v1::Sweep Get(const std::string& sweep);
  v1::Sweep Cancel(const std::string& sweep);
  v1::Sweep Resume(const std::string& sweep);
  void Delete(const std::string& sweep);
  int SweepCount();
  // Until `condition` holds or two minutes have passed; the last that was seen.
  v1::Sweep WaitFor(const std::string& sweep,
                    const std::function<bool(const v1::Sweep&)>& condition);
  v1::Sweep WaitForEnd(const std::string& sweep);
  // A unit is leased, so that whatever happens now happens in its middle.
  void WaitForLease(const std::string& sweep);
  std::vector<v1::UnitStatus> Units(const std::string& sweep);

  // All answers in their order, each as its bytes without the sweep's id.
  std::vector<std::string> Answers(const std::string& sweep);

 private:
  std::unique_ptr<v1::OrchestratorService::Stub> stub() {
    return v1::OrchestratorService::NewStub(deployment_.channel());
  }
  grpc::Status Call(const std::function<grpc::Status(grpc::ClientContext*)>& call);

  Deployment& deployment_;
};

}  // namespace kvscope::cluster_test
