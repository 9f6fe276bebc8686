#include "services/rpc/flags.h"

#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/rpc/healthcheck.h"
#include "services/version.h"

namespace kvscope::rpc {
namespace {

// `--drain-timeout` of any server is KVSCOPE_DRAIN_TIMEOUT.
std::string VariableOf(const std::string& flag) {
  std::string name = "KVSCOPE_";
  for (const char c : flag) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

bool IsSettable(const std::string& flag) {
  return !flag.empty() && flag != "help" && flag != "version" && flag != "config";
}

// CLI11 reads --config through this. A word whose environment variable is set is left out, because
// CLI11 itself lets the file win.
class YamlConfig final : public CLI::Config {
 public:
  explicit YamlConfig(const CLI::App* app) : app_(app) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return ""; }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    YAML::Node root;
    try {
      root = YAML::Load(input);
    } catch (const YAML::Exception& error) {
      throw CLI::ConversionError("--config", std::string("not YAML: ") + error.what());
    }
    std::vector<CLI::ConfigItem> items;
    if (root.IsNull()) return items;
    if (!root.IsMap()) {
      throw CLI::ConversionError("--config", "the file must be a map such as `listen: ADDR`");
    }
    for (const auto& entry : root) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
        throw CLI::ConversionError("--config", "every entry must be `word: value` on one line");
      }
      Add(entry.first.Scalar(), entry.second.Scalar(), items);
    }
    return items;
  }

 private:
  void Add(const std::string& word, const std::string& value,
           std::vector<CLI::ConfigItem>& items) const {
    if (!IsSettable(word) || app_->get_option_no_throw("--" + word) == nullptr) {
      throw CLI::ConversionError("--config", "`" + word + "` is none of this program's words");
    }
    if (std::getenv(VariableOf(word).c_str()) != nullptr) return;
    CLI::ConfigItem item;
    item.name = word;
    item.inputs = {value};
    items.push_back(std::move(item));
  }

  const CLI::App* app_;
};

void AddSecurityFlags(CLI::App& app, ServiceFlags& flags) {
  app.add_flag("--insecure", flags.insecure, "allow plaintext beyond loopback");
  app.add_option("--tls-cert", flags.tls.cert,
                 "PEM FILE of the own certificate: serves with TLS, and is shown to servers");
  app.add_option("--tls-key", flags.tls.key, "PEM FILE of its private key");
  app.add_option("--tls-ca", flags.tls.ca,
                 "PEM FILE of the roots that others' certificates must descend from: dials with "
                 "TLS, and demands certificates of clients");
  app.add_option_function<std::string>(
         "--tls-client-auth",
         [&flags](const std::string& word) { flags.client_certs = word == "required"; },
         "required or none: whether clients need a certificate where --tls-ca is given")
      ->check(CLI::IsMember({"required", "none"}))
      ->default_str("required");
  app.add_option("--token-file", flags.token_file,
                 "FILE of the tokens that are accepted (kvscope token new); without it nobody is "
                 "asked for one and everybody may do everything");
  app.add_option("--client-token-file", flags.client_token_file,
                 "FILE that holds the token to show to other services");
  app.add_option("--rate-limit", flags.rate_limit,
                 "calls a second that one caller may make of sweeps and evaluations; 0: any number")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
}

}  // namespace

ServerOptions ServiceFlags::Serving() const {
  return {.listen = listen,
          .security = {.insecure = insecure,
                       .tls = tls,
                       .client_certs = client_certs,
                       .token_file = token_file,
                       .rate_limit = rate_limit},
          .reflection = reflection};
}

ClientSecurity ServiceFlags::Dialling() const {
  return {.insecure = insecure, .tls = tls, .server_name = "", .token_file = client_token_file};
}

void AddServiceFlags(CLI::App& app, ServiceFlags& flags) {
  app.add_option("--listen", flags.listen, "HOST:PORT to serve on (port 0: any free one)")
      ->capture_default_str();
  app.add_option("--port-file", flags.port_file, "FILE that gets the bound port once it serves");
  app.add_option("--prometheus", flags.prometheus, "HOST:PORT of the metrics endpoint");
  app.add_option_function<std::string>(
         "--log-level",
         [&flags](const std::string& name) {
           const absl::StatusOr<LogLevel> level = ParseLogLevel(name);
           if (!level.ok())
             throw CLI::ValidationError(
                 "--log-level",
                 std::string(level.status().message().data(), level.status().message().size()));
           flags.log_level = *level;
         },
         "debug, info, warning, error or off")
      ->default_str("info");
  app.add_option_function<double>(
         "--drain-timeout",
         [&flags](double seconds) { flags.drain_timeout = absl::Seconds(seconds); },
         "seconds that running work may take after SIGTERM")
      ->check(CLI::Range(0.0, 86400.0))
      ->default_str("30");
  AddSecurityFlags(app, flags);
  app.add_flag("--reflection", flags.reflection, "serve gRPC reflection, for grpcurl");
  app.set_version_flag("--version", app.get_name() + " " + std::string(kVersion));
  app.set_config("--config", "", "a YAML file with the same words as the flags");
  AddHealthcheck(app, flags);
}

int ParseFlags(CLI::App& app, int argc, char** argv) {
  app.config_formatter(std::make_shared<YamlConfig>(&app));
  for (CLI::Option* option : app.get_options()) {
    const std::string flag = option->get_single_name();
    if (IsSettable(flag)) option->envname(VariableOf(flag));
    if (IsHealthcheck(argc, argv)) option->required(false);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& ended) {  // the healthcheck has told what it found
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return -1;
}

}  // namespace kvscope::rpc
