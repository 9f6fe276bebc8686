// An HTTP server on loopback that answers one connection after another with bytes of a script.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace kvscope::orchestrator::llm {

class ScriptedServer {
 public:
  struct Reply {
    std::string bytes;        // sent as they are, then the connection is closed
    double delay_s = 0;       // before the first byte
    double byte_delay_s = 0;  // before each further byte
  };

  // The last reply is given again and again.
  explicit ScriptedServer(std::vector<Reply> script);
  ~ScriptedServer();

  std::string url() const;
  std::vector<std::string> requests() const;  // as they came in, head and body

  // A whole response with a Content-Length.
  static Reply Http(int status, const std::string& body, const std::string& headers = "");
  // A chat completion with that text.
  static Reply Chat(const std::string& text, const std::string& finish_reason = "stop");

 private:
  void Serve();
  void Answer(int connection, const Reply& reply);

  std::vector<Reply> script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace kvscope::orchestrator::llm
