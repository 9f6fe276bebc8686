#include "services/inference/engine/prompt.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/inference/checkpoint/mapped_file.h"
#include "services/status_macros.h"

namespace kvscope::inference {
namespace {

constexpr size_t kMaxBytes = 1 << 20;  // of a kvscope.json

using Piece = std::optional<std::string> PromptPieces::*;

// Null for a name that is no piece.
Piece PieceNamed(std::string_view name) {
  static constexpr std::pair<std::string_view, Piece> kPieces[] = {
      {"instruction", &PromptPieces::instruction},
      {"aware_line", &PromptPieces::aware_line},
      {"question_prefix", &PromptPieces::question_prefix},
      {"question_suffix", &PromptPieces::question_suffix},
      {"answer_prefix", &PromptPieces::answer_prefix},
  };
  for (const auto& [piece_name, piece] : kPieces) {
    if (piece_name == name) return piece;
  }
  return nullptr;
}

// The paper's words (arXiv:2603.01426); it puts nothing around the question.
const PromptPieces& PaperPieces() {
  static const auto* pieces = new PromptPieces{
      .instruction =
          "Read the following text and answer briefly based on it. Return only the "
          "answer. Do not generate extra.",
      .aware_line = "You will be given one of the following questions:",
      .question_prefix = "",
      .question_suffix = "",
      .answer_prefix = "",
  };
  return *pieces;
}

}  // namespace

absl::StatusOr<PromptPieces> ReadModelPieces(const std::string& model_dir) {
  const std::string path = (std::filesystem::path(model_dir) / "kvscope.json").string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return PromptPieces{};
  KVSCOPE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxBytes));

  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON object"));
  }
  PromptPieces pieces;
  const auto prompt = json.find("prompt");
  if (prompt == json.end()) return pieces;
  if (!prompt->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": `prompt` is ", prompt->type_name(), "; it must be an object"));
  }
  for (const auto& [name, value] : prompt->items()) {
    const Piece piece = PieceNamed(name);
    if (piece == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": `prompt.", name,
                       "` is unknown; it may hold instruction, aware_line, question_prefix, "
                       "question_suffix and answer_prefix"));
    }
    if (!value.is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": `prompt.", name, "` is ",
                                                     value.type_name(), "; it must be a string"));
    }
    pieces.*piece = value.get<std::string>();
  }
  return pieces;
}

Prompt ChoosePieces(const PromptPieces& sweep, const PromptPieces& model) {
  const auto choose = [&](Piece piece) -> const std::string& {
    if ((sweep.*piece).has_value()) return *(sweep.*piece);
    if ((model.*piece).has_value()) return *(model.*piece);
    return *(PaperPieces().*piece);
  };
  return {.instruction = choose(&PromptPieces::instruction),
          .aware_line = choose(&PromptPieces::aware_line),
          .question_prefix = choose(&PromptPieces::question_prefix),
          .question_suffix = choose(&PromptPieces::question_suffix),
          .answer_prefix = choose(&PromptPieces::answer_prefix)};
}

ContextText WriteContext(const ChatPieces& chat, const Prompt& prompt,
                         std::span<const Question> listed, std::string_view passage) {
  ContextText context;
  context.text = absl::StrCat(chat.head, prompt.instruction, "\n");
  if (!listed.empty()) {
    absl::StrAppend(&context.text, prompt.aware_line, "\n");
    for (const Question& question : listed) absl::StrAppend(&context.text, question.question, "\n");
  }
  context.passage_begin = context.text.size();
  context.text.append(passage);
  context.passage_end = context.text.size();
  context.text.push_back('\n');
  return context;
}

std::string WriteSuffix(const ChatPieces& chat, const Prompt& prompt, std::string_view question) {
  return std::string(prompt.question_prefix)
      .append(question)
      .append(prompt.question_suffix)
      .append(chat.tail)
      .append(prompt.answer_prefix);
}

}  // namespace kvscope::inference
