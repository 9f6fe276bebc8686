#include "services/rpc/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/rpc/certificate_maker.h"

namespace kvscope::rpc {
namespace {

using ::testing::HasSubstr;

class CertificatesTest : public testing::Test {
 protected:
  CertificatesTest() : folder_(testing::TempDir() + "/certificates-" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    authority_.WriteRoot(folder_ + "/ca");
    authority_.Issue(folder_ + "/one", {.names = {"IP:127.0.0.1", "DNS:one.test"}});
    authority_.Issue(folder_ + "/two", {.names = {"IP:10.0.0.7"}});
  }
  ~CertificatesTest() override { std::filesystem::remove_all(folder_); }

  TlsFiles Files(const std::string& cert, const std::string& key, const std::string& ca) const {
    return {.cert = folder_ + "/" + cert, .key = folder_ + "/" + key, .ca = folder_ + "/" + ca};
  }

  static std::string ErrorOf(const TlsFiles& files) {
    const auto read = ReadCertificates(files);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(read.status().message());
  }

  CertificateAuthority authority_{"test root"};
  const std::string folder_;
};

TEST_F(CertificatesTest, ReadsWhatFits) {
  const auto read = ReadCertificates(Files("one.crt", "one.key", "ca.crt"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->cert, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(read->key, HasSubstr("PRIVATE KEY"));
  EXPECT_TRUE(ReadCertificates({.ca = folder_ + "/ca.crt"}).ok());
}

TEST_F(CertificatesTest, ErrorsNameTheFile) {
  EXPECT_THAT(ErrorOf(Files("no.crt", "one.key", "ca.crt")), HasSubstr("no.crt: No such file"));
  EXPECT_THAT(ErrorOf(Files("one.key", "one.key", "ca.crt")),
              HasSubstr("one.key: must hold a certificate"));
  EXPECT_THAT(ErrorOf(Files("one.crt", "one.crt", "ca.crt")),
              HasSubstr("one.crt: must hold a private key"));
  EXPECT_THAT(ErrorOf(Files("one.crt", "two.key", "ca.crt")),
              HasSubstr("two.key: is not the key of the certificate in"));
  EXPECT_THAT(ErrorOf(Files("one.crt", "one.key", "one.key")), HasSubstr("one.key: must hold one"));
  EXPECT_THAT(ErrorOf({.ca = folder_}), HasSubstr("is a directory"));
}

TEST_F(CertificatesTest, RefusesAnExpiredOneAndAHalfWrittenOne) {
  authority_.Issue(folder_ + "/old", {.names = {"DNS:one.test"}, .lifetime = -absl::Minutes(1)});
  EXPECT_THAT(ErrorOf(Files("old.crt", "old.key", "ca.crt")), HasSubstr("has expired"));
  const auto whole = ReadCertificates(Files("one.crt", "one.key", "ca.crt"));
  ASSERT_TRUE(whole.ok());
  std::ofstream(folder_ + "/half.crt") << whole->cert << whole->cert.substr(0, 200);
  EXPECT_THAT(ErrorOf(Files("half.crt", "one.key", "ca.crt")),
              HasSubstr("must hold a certificate"));
}

TEST_F(CertificatesTest, TellsWhomACertificateIsFor) {
  EXPECT_EQ(NameOfCertificate(folder_ + "/one.crt"), "one.test");
  EXPECT_EQ(NameOfCertificate(folder_ + "/two.crt"), "10.0.0.7");
  EXPECT_EQ(NameOfCertificate(folder_ + "/ca.crt"), "");
  EXPECT_EQ(NameOfCertificate(folder_ + "/absent.crt"), "");
}

}  // namespace
}  // namespace kvscope::rpc
