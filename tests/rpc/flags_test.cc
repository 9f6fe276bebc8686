#include "services/rpc/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;

struct Parsed {
  int code = 0;
  ServiceFlags flags;
  std::string store;
  std::string told;  // on stderr
};

Parsed Parse(std::vector<std::string> arguments) {
  Parsed parsed;
  CLI::App app("a server", "kvscope-test");
  AddServiceFlags(app, parsed.flags);
  app.add_option("--store", parsed.store, "a directory");
  arguments.insert(arguments.begin(), "kvscope-test");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  testing::internal::CaptureStderr();
  parsed.code = ParseFlags(app, static_cast<int>(argv.size()), argv.data());
  parsed.told = testing::internal::GetCapturedStderr();
  return parsed;
}

std::string WriteFile(const std::string& text) {
  const std::string path = testing::TempDir() + "/flags_test_" + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << text;
  return path;
}

TEST(Flags, DefaultsHold) {
  const Parsed parsed = Parse({});
  EXPECT_EQ(parsed.code, -1);
  EXPECT_EQ(parsed.flags.drain_timeout, absl::Seconds(30));
  EXPECT_FALSE(parsed.flags.insecure);
}

TEST(Flags, AFlagBeatsTheEnvironmentWhichBeatsTheFile) {
  const std::string file = WriteFile("listen: a:1\nstore: from-file\nlog-level: error\n");
  setenv("KVSCOPE_STORE", "from-env", 1);
  setenv("KVSCOPE_LISTEN", "b:2", 1);
  const Parsed parsed = Parse({"--config", file, "--listen", "c:3"});
  unsetenv("KVSCOPE_STORE");
  unsetenv("KVSCOPE_LISTEN");
  EXPECT_EQ(parsed.code, -1);
  EXPECT_EQ(parsed.flags.listen, "c:3");
  EXPECT_EQ(parsed.store, "from-env");
  EXPECT_EQ(parsed.flags.log_level, LogLevel::kError);
}

TEST(Flags, AFileMaySetSwitchesAndNumbers) {
  const std::string file = WriteFile("insecure: true\ndrain-timeout: 2.5\n");
  const Parsed parsed = Parse({"--config", file});
  EXPECT_EQ(parsed.code, -1);
  EXPECT_TRUE(parsed.flags.insecure);
  EXPECT_EQ(parsed.flags.drain_timeout, absl::Milliseconds(2500));
}

TEST(Flags, SecurityReachesWhatIsServedAndWhatIsDialled) {
  setenv("KVSCOPE_TLS_CA", "roots", 1);
  const Parsed parsed =
      Parse({"--tls-cert", "own", "--tls-key", "secret", "--tls-client-auth", "none",
             "--token-file", "table", "--client-token-file", "token", "--rate-limit", "7"});
  unsetenv("KVSCOPE_TLS_CA");
  EXPECT_EQ(parsed.code, -1) << parsed.told;
  const TlsFiles files = {.cert = "own", .key = "secret", .ca = "roots"};
  const ServerSecurity server = parsed.flags.Serving().security;
  EXPECT_EQ(server.tls, files);
  EXPECT_FALSE(server.client_certs);
  EXPECT_EQ(server.token_file, "table");
  EXPECT_EQ(server.rate_limit, 7);
  const ClientSecurity client = parsed.flags.Dialling();
  EXPECT_EQ(client.tls, files);
  EXPECT_EQ(client.token_file, "token");
  EXPECT_TRUE(Parse({}).flags.Serving().security.client_certs);
  EXPECT_EQ(Parse({"--tls-client-auth", "maybe"}).code, 2);
  EXPECT_EQ(Parse({"--rate-limit", "-1"}).code, 2);
}

TEST(Flags, UsageErrorsNameTheWord) {
  const Parsed unknown = Parse({"--frobnicate"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.told, HasSubstr("frobnicate"));
  const Parsed level = Parse({"--log-level", "loud"});
  EXPECT_EQ(level.code, 2);
  EXPECT_THAT(level.told, HasSubstr("loud"));
  const Parsed file = Parse({"--config", WriteFile("lissten: a:1\n")});
  EXPECT_EQ(file.code, 2);
  EXPECT_THAT(file.told, HasSubstr("lissten"));
  EXPECT_EQ(Parse({"--config", WriteFile("- a\n- b\n")}).code, 2);
  EXPECT_EQ(Parse({"--config", WriteFile("a: [\n")}).code, 2);
  EXPECT_EQ(Parse({"--config", "/does/not/exist.yaml"}).code, 2);
}

}  // namespace
}  // namespace kvscope::rpc
