#include "services/rpc/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;

// Of `printf abc | sha256sum`.
constexpr char kHashOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

std::string ParseError(const std::string& text) {
  const auto table = TokenTable::Parse(text, "tokens");
  EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(table.status().message());
}

TEST(Tokens, AreLongRandomWords) {
  std::set<std::string> made;
  for (int i = 0; i < 100; ++i) made.insert(NewToken());
  EXPECT_EQ(made.size(), 100u);
  for (const std::string& token : made) {
    EXPECT_EQ(token.size(), 8u + 43u);  // 43 characters of 6 bits hold 256
    EXPECT_TRUE(token.starts_with("kvscope_")) << token;
    EXPECT_EQ(token.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_-"),
              std::string::npos)
        << token;
  }
}

TEST(TokenTable, KnowsATokenByTheSha256OfItsCharacters) {
  const auto table = TokenTable::Parse(
      absl::StrCat("# who may call\n\n  ci  submit ", kHashOfAbc, " # since May\r\n"), "tokens");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->size(), 1u);
  EXPECT_EQ(table->Find(HashToken("abc")), (Caller{.name = "ci", .role = Role::kSubmit}));
  EXPECT_EQ(table->Find(HashToken("abd")), std::nullopt);
  EXPECT_EQ(table->Find(HashToken(kHashOfAbc)), std::nullopt);  // a stolen table opens nothing
}

TEST(TokenTable, ReadsTheLinesThatTokenLineWrites) {
  const std::string mine = NewToken(), yours = NewToken();
  const auto table =
      TokenTable::Parse(absl::StrCat(*TokenLine("me", Role::kAdmin, HashToken(mine)), "\n",
                                     *TokenLine("you", Role::kRead, HashToken(yours)), "\n"),
                        "tokens");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->Find(HashToken(mine)), (Caller{.name = "me", .role = Role::kAdmin}));
  EXPECT_EQ(table->Find(HashToken(yours)), (Caller{.name = "you", .role = Role::kRead}));
}

TEST(TokenTable, AnEmptyOneLetsNobodyIn) {
  const auto table = TokenTable::Parse("# nobody\n", "tokens");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->Find(HashToken("")), std::nullopt);
}

TEST(TokenTable, ErrorsNameTheLine) {
  const std::string hash = kHashOfAbc;
  EXPECT_THAT(ParseError("# x\nci submit\n"), HasSubstr("tokens:2: has 2 words"));
  EXPECT_THAT(ParseError("ci root " + hash), HasSubstr("read, submit, worker or admin"));
  EXPECT_THAT(ParseError("c/i read " + hash), HasSubstr("\"c/i\""));
  EXPECT_THAT(ParseError(std::string(65, 'n') + " read " + hash), HasSubstr("1 to 64"));
  EXPECT_THAT(ParseError("ci read " + hash.substr(1)), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(ParseError("ci read x" + hash.substr(1)), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(ParseError("ci read " + hash + "\nme read " + hash), HasSubstr("tokens:2: the hash"));
  EXPECT_THAT(ParseError(NewToken()), HasSubstr("has 1 words"));
}

TEST(TokenLine, RefusesANameThatWouldBreakTheTable) {
  for (const char* name : {"", "a b", "a\nb", "a#b", "ä"}) {
    EXPECT_EQ(TokenLine(name, Role::kRead, TokenHash{}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
}

}  // namespace
}  // namespace kvscope::rpc
