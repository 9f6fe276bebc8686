#include "services/inference/tokenizer/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tests/inference/tokenizer/model_dir.h"

namespace kvscope::inference {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// The rendered text, or the error's message.
std::string Render(const std::string& source, const std::string& messages = "[]",
                   const ChatOptions& options = {}) {
  const auto chat_template = ChatTemplate::Parse(source, "T");
  if (!chat_template.ok()) return std::string(chat_template.status().message());
  const auto text = RenderChatJson(**chat_template, messages, options);
  return text.ok() ? *text : std::string(text.status().message());
}

TEST(ChatTemplate, RendersWhatTransformersRenders) {
  std::ifstream file(std::string(KVSCOPE_SOURCE_DIR) + "/tests/golden/tokenizers/templates.json");
  const auto golden = nlohmann::ordered_json::parse(file, nullptr, false);
  ASSERT_GE(golden["rows"].size(), 400u);
  for (const auto& row : golden["rows"]) {
    const std::string source = row["template"];
    const auto chat_template = ChatTemplate::Parse(source, "T");
    const auto text = chat_template.ok()
                          ? RenderChatJson(**chat_template, golden["variables"].dump(), {})
                          : absl::StatusOr<std::string>(chat_template.status());
    if (row.contains("fails")) {
      EXPECT_FALSE(text.ok()) << source << " gives " << *text;
    } else if (text.ok()) {
      EXPECT_EQ(*text, row["rendered"].get<std::string>()) << source;
    } else {
      ADD_FAILURE() << source << ": " << text.status();
    }
  }
}

TEST(ChatTemplate, NamesLineAndConstruct) {
  EXPECT_EQ(Render("a\nb\n{% if x %}"), "T: chat template, line 3: `if` is not closed");
  EXPECT_THAT(Render("\n{% include 'x' %}"), HasSubstr("line 2: the tag `include` is not known"));
  EXPECT_THAT(Render("{{ 1 +\n }}"), HasSubstr("line 2: an expression is expected before `}}`"));
  EXPECT_THAT(Render("{{ 'a }}"), HasSubstr("line 1: the string is not closed"));
  EXPECT_THAT(Render("{% for m in messages recursive %}{% endfor %}"), HasSubstr("recursive"));
  EXPECT_THAT(Render("\n\n{{ messages[0].role }}"),
              AllOf(HasSubstr("line 3"), HasSubstr("`0` is undefined; `.role` needs an object")));
  EXPECT_THAT(Render("{{ tool.name }}"), HasSubstr("`tool` is undefined"));
  EXPECT_THAT(Render("x\n{{ 1 | frobnicate }}"), HasSubstr("line 2: the filter `frobnicate`"));
  EXPECT_THAT(Render("{{ raise_exception('no tools here') }}"),
              HasSubstr("the template refuses: no tools here"));
}

TEST(ChatTemplate, TakesTheDateFromItsCaller) {
  const std::string source = "{{ strftime_now('%d %b %Y') }}";
  EXPECT_EQ(Render(source), "26 Jul 2024") << "fixed, so that equal requests give equal prompts";
  ChatOptions options;
  options.now.tm_year = 131;
  EXPECT_EQ(Render(source, "[]", options), "26 Jul 2031");
}

TEST(ChatTemplate, ReadsMessagesAndVariables) {
  ChatOptions options;
  options.variables_json = R"({"tools": [{"name": "f"}], "date_string": "today"})";
  options.special_tokens = {{"bos_token", "<s>"}};
  options.add_generation_prompt = true;
  const std::string source =
      "{{ bos_token }}{{ tools[0].name }}{{ date_string }}{{ add_generation_prompt }}"
      "{{ messages[0].content }}";
  EXPECT_EQ(Render(source, R"([{"role": "user", "content": "hi"}])", options), "<s>ftodayTruehi");
  EXPECT_EQ(Render("{{ a }}", R"({"messages": [], "a": 5})"), "5");
  EXPECT_THAT(Render("", "5"), HasSubstr("the messages"));
  EXPECT_THAT(Render("", R"({"messages": 5})"), HasSubstr("the messages"));
  EXPECT_THAT(Render("", "nonsense"), HasSubstr("not valid JSON"));
  options.variables_json = "[]";
  EXPECT_THAT(Render("", "[]", options), HasSubstr("must be a JSON object"));
  EXPECT_THAT(Render("", "[" + std::string(100, '[') + std::string(100, ']') + "]"),
              HasSubstr("nests too deep"));
}

TEST(ChatTemplate, TakesPlainMessages) {
  const auto chat_template =
      ChatTemplate::Parse("{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}", "T");
  const std::vector<ChatMessage> messages = {{"user", "a\"b"}, {"assistant", "\xFF"}};
  EXPECT_EQ(*RenderChat(**chat_template, messages, {}), "user:a\"b;assistant:\uFFFD;");
}

TEST(ChatTemplate, EndsHostileTemplates) {
  const std::string work = "too many steps or makes too much text";
  EXPECT_THAT(Render("{% for i in range(1000000000) %}{% endfor %}"), HasSubstr(work));
  EXPECT_THAT(Render("{{ 'x' * 1000000000000 }}"), HasSubstr(work));
  EXPECT_THAT(Render("{% set ns = namespace(x='abcd') %}{% for i in range(99) %}"
                     "{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
              HasSubstr(work));
  const std::string nested = "{% for i in range(99) %}";
  std::string loops;
  for (int i = 0; i < 20; ++i) loops = nested + loops + "{% endfor %}";
  EXPECT_THAT(Render(loops), HasSubstr(work));
  // A list that holds one list twice, over and over: tiny in memory, endless written out.
  const std::string twice =
      "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
      "{% endfor %}";
  EXPECT_THAT(Render(twice + "{{ ns.x }}"), HasSubstr(work));
  EXPECT_THAT(Render(twice + "{{ ns.x | tojson }}"), HasSubstr(work));
  EXPECT_THAT(Render(twice + "{{ ns.x == ns.x }}"), HasSubstr(work));
  EXPECT_THAT(Render("{% set ns = namespace(x=[]) %}{% for i in range(999) %}"
                     "{% set ns.x = [ns.x] %}{% endfor %}"),
              HasSubstr("nest deeper"));
  EXPECT_THAT(Render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), HasSubstr("nests deeper"));
  EXPECT_THAT(Render("{{ " + std::string(100'000, '(') + std::string(100'000, ')') + " }}"),
              HasSubstr("nest deeper"));
  EXPECT_THAT(Render("{{ " + std::string(100'000, '-') + "1 }}"), HasSubstr("nest deeper"));
  std::string chain = "{{ 1";
  for (int i = 0; i < 100'000; ++i) chain += "+1";
  EXPECT_THAT(Render(chain + " }}"), HasSubstr("too long"));
  std::string ifs;
  for (int i = 0; i < 100'000; ++i) ifs += "{% if 1 %}";
  EXPECT_THAT(Render(ifs), HasSubstr("nest deeper"));
  EXPECT_EQ(Render("{% set a = namespace() %}{% set a.b = a %}{{ a.b.b.b is defined }}"), "True");
}

TEST(ChatTemplate, SurvivesMutations) {
  std::ifstream file(std::string(KVSCOPE_SOURCE_DIR) + "/tests/golden/tokenizers/templates.json");
  const auto golden = nlohmann::ordered_json::parse(file, nullptr, false);
  const std::string variables = golden["variables"].dump();
  const std::string alphabet = "{}%#-+|.[]()'\"\n 019axif~*/:,=";
  std::mt19937 random(3);
  for (int i = 0; i < 4000; ++i) {
    std::string source = golden["rows"][random() % golden["rows"].size()]["template"];
    source += golden["rows"][random() % golden["rows"].size()]["template"].get<std::string>();
    for (int k = random() % 5; k >= 0; --k) {
      const size_t at = random() % source.size();
      if (random() % 3 == 0) {
        source.erase(at, 1 + random() % 3);
        source += ' ';
      } else {
        source[at] =
            random() % 8 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
      }
    }
    const auto chat_template = ChatTemplate::Parse(source, "T");
    if (!chat_template.ok()) continue;
    const auto text = RenderChatJson(**chat_template, variables, {});
    EXPECT_TRUE(text.ok() || !text.status().message().empty());
  }
}

std::unique_ptr<Tokenizer> TokenizerWithTemplate(const nlohmann::json& source) {
  const ModelDir dir;
  dir.Write("tokenizer.json", ByteTokenizer().dump());
  nlohmann::json config = {{"bos_token", "ab"}};
  if (!source.is_null()) config["chat_template"] = source;
  dir.Write("tokenizer_config.json", config.dump());
  return *Tokenizer::Load(dir.path());
}

TEST(SplitChat, CutsAroundTheContent) {
  const auto pieces = SplitChat(*TokenizerWithTemplate(
      "{{ bos_token }}{% for m in messages %}<{{ m.role }}> {{ m.content | trim }}</s>{% endfor %}"
      "{% if add_generation_prompt %}<bot>{% if not enable_thinking %}<think>{% endif %}{% endif "
      "%}"));
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_EQ(pieces->head, "ab<user> ");
  EXPECT_EQ(pieces->tail, "</s><bot><think>");
}

TEST(SplitChat, TakesVariables) {
  const auto tokenizer = TokenizerWithTemplate("{{ messages[0].content }}{{ enable_thinking }}");
  EXPECT_EQ(SplitChat(*tokenizer)->tail, "False");
  ChatOptions options;
  options.variables_json = R"({"enable_thinking": true})";
  EXPECT_EQ(SplitChat(*tokenizer, options)->tail, "True");
}

TEST(SplitChat, WithoutATemplateIsBosAndANewline) {
  const auto pieces = SplitChat(*TokenizerWithTemplate(nullptr));
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_EQ(pieces->head, "ab");
  EXPECT_EQ(pieces->tail, "\n");
}

TEST(SplitChat, NeedsTheContentExactlyOnce) {
  for (const char* source : {"no content", "{{ messages[0].content * 2 }}",
                             "{{ messages[0].content }} {{ messages[0].content }}"}) {
    const auto pieces = SplitChat(*TokenizerWithTemplate(source));
    EXPECT_THAT(std::string(pieces.status().message()), HasSubstr("exactly once")) << source;
  }
}

TEST(ChatTemplateFile, GoesBeforeTheConfig) {
  const ModelDir dir;
  dir.Write("tokenizer.json", ByteTokenizer().dump());
  dir.Write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "A"},
                                                           {"name": "tools", "template": "B"}]})");
  const auto rendered = [&] {
    const auto tokenizer = Tokenizer::Load(dir.path());
    return *RenderChatJson(**(*tokenizer)->chat_template(), "[]", {});
  };
  EXPECT_EQ(rendered(), "A");
  dir.Write("chat_template.jinja", "C\n");
  EXPECT_EQ(rendered(), "C");
}

}  // namespace
}  // namespace kvscope::inference
