// kvscope inspect tokens|chat|forward|press: what the engine computes, for anybody who checks us.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "absl/strings/str_cat.h"
#include "services/client/cli/command.h"
#include "services/inference/inspect/chat.h"
#include "services/inference/inspect/forward.h"
#include "services/inference/inspect/press.h"
#include "services/inference/inspect/tokens.h"
#include "services/status_macros.h"

namespace kvscope::cli {
namespace {

absl::Status Chat(const inference::InspectChatOptions& options, const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("--messages: cannot open ", path));
  const std::string messages{std::istreambuf_iterator<char>(in), {}};
  KVSCOPE_ASSIGN_OR_RETURN(const std::string text, inference::InspectChat(options, messages));
  std::cout << text;
  return absl::OkStatus();
}

void AddBackendOptions(CLI::App& command, std::string& device, std::string& dtype) {
  command.add_option("--device", device, "auto, cpu or reference")->capture_default_str();
  command.add_option("--dtype", dtype, "auto, float32 or bfloat16")->capture_default_str();
}

// Scripts may give every `inspect` the same words; what needs no backend checks and ignores them.
void AddUnusedBackendOptions(CLI::App& command) {
  command.add_option("--device", "not used here: only the tokenizer's files are read")
      ->check(CLI::IsMember({"auto", "cpu", "cuda", "reference"}));
  command.add_option("--dtype", "not used here")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}));
}

void AddTokens(CLI::App& inspect, Action& action) {
  auto options = std::make_shared<inference::InspectTokensOptions>();
  CLI::App* command = inspect.add_subcommand("tokens", "Text on stdin to ids, or back");
  command->footer(
      "Example:\n  echo -n 'Hello' | kvscope inspect tokens --model models/pocket-llama");
  command->add_option("--model", options->model_dir, "model directory")->required();
  command->add_flag("--decode", options->decode, "ids on stdin, text on stdout");
  command->add_flag("--lines", options->lines,
                    "one JSON string a line in, one JSON list a line out");
  command->add_flag("--add-special-tokens", options->add_special_tokens,
                    "apply the post-processor (BOS and the like)");
  command->add_flag("--skip-special-tokens", options->skip_special_tokens,
                    "decoding: leave special tokens out");
  command->add_flag("--offsets", options->offsets, "also each token's characters, [begin, end)");
  AddUnusedBackendOptions(*command);
  command->callback([options, &action] {
    action = [options] { return inference::InspectTokens(*options, std::cin, std::cout); };
  });
}

void AddChat(CLI::App& inspect, Action& action) {
  auto options = std::make_shared<inference::InspectChatOptions>();
  auto messages = std::make_shared<std::string>();
  CLI::App* command = inspect.add_subcommand("chat", "What the chat template makes of messages");
  command->footer("Example:\n  kvscope inspect chat --model DIR --messages messages.json");
  command->add_option("--model", options->model_dir, "model directory")->required();
  command->add_option("--messages", *messages, "JSON: a list of {role, content}")->required();
  command->add_flag("--add-generation-prompt", options->add_generation_prompt,
                    "end with the start of the assistant's turn");
  command->add_option("--variables", options->variables_json,
                      "a JSON object of the template's further variables");
  AddUnusedBackendOptions(*command);
  command->callback(
      [options, messages, &action] { action = [=] { return Chat(*options, *messages); }; });
}

void AddForward(CLI::App& inspect, Action& action) {
  auto options = std::make_shared<inference::ForwardOptions>();
  CLI::App* command = inspect.add_subcommand("forward", "Logits, hidden states, keys and values");
  command->footer(
      "Example:\n  kvscope inspect forward --model DIR --ids ids.json --out out.safetensors --kv");
  command->add_option("--model", options->model_dir, "model directory")->required();
  command->add_option("--ids", options->ids_file, "JSON: a list of ids, or {\"ids\": [...]}")
      ->required();
  command->add_option("--out", options->out_file, "safetensors file to write")->required();
  command->add_flag("--hidden", options->hidden, "hidden.<i> [tokens, d_model]");
  command->add_flag("--kv", options->kv, "keys.<l>, values.<l> [kv_heads, tokens, head_dim]");
  command->add_flag("--attention", options->attention, "attention.<l> [q_heads, tokens, tokens]");
  AddBackendOptions(*command, options->device, options->dtype);
  command->callback(
      [options, &action] { action = [options] { return inference::InspectForward(*options); }; });
}

void AddPress(CLI::App& inspect, Action& action) {
  auto options = std::make_shared<inference::PressOptions>();
  CLI::App* command = inspect.add_subcommand("press", "What a press scores, keeps and answers");
  command->footer(
      "Example:\n  kvscope inspect press --model DIR --ids ids.json --press 'adakv(snapkv)' "
      "--ratios 0.5,0.9 --question-ids q.json --out out.safetensors");
  command->add_option("--model", options->model_dir, "model directory")->required();
  command->add_option("--ids", options->ids_file, "JSON: the context's ids")->required();
  command->add_option("--press", options->press, "a press expression")->required();
  command->add_option("--ratios", options->ratios, "compression ratios, separated by commas")
      ->delimiter(',')
      ->required();
  command->add_option("--question-ids", options->question_ids_file, "JSON: ids to answer after");
  command->add_option("--max-new-tokens", options->max_new_tokens, "tokens to generate")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of presses that draw random numbers")
      ->capture_default_str();
  command->add_option("--out", options->out_file, "safetensors file to write")->required();
  AddBackendOptions(*command, options->device, options->dtype);
  command->callback(
      [options, &action] { action = [options] { return inference::InspectPress(*options); }; });
}

}  // namespace

void AddInspect(CLI::App& app, Action& action) {
  CLI::App* inspect = app.add_subcommand("inspect", "What the engine computes");
  inspect->require_subcommand(1);
  inspect->footer("Example:\n  kvscope inspect press --help");
  AddTokens(*inspect, action);
  AddChat(*inspect, action);
  AddForward(*inspect, action);
  AddPress(*inspect, action);
}

}  // namespace kvscope::cli
