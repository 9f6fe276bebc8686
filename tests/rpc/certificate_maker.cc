#include "tests/rpc/certificate_maker.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdio>
#include <functional>

#include "absl/strings/str_join.h"

namespace kvscope::rpc {
namespace {

X509* MakeCertificate(EVP_PKEY* key, const std::string& name, absl::Duration lifetime) {
  static std::atomic<int64_t> serial = 1;
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), absl::ToInt64Seconds(lifetime));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate, key);
  return certificate;
}

void Extend(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Readers see the old file or the new one.
void Write(const std::string& path, const std::function<int(FILE*)>& write) {
  const std::string partial = path + ".partial";
  FILE* file = std::fopen(partial.c_str(), "w");
  ASSERT_NE(file, nullptr) << path;
  EXPECT_EQ(write(file), 1) << path;
  std::fclose(file);
  EXPECT_EQ(std::rename(partial.c_str(), path.c_str()), 0) << path;
}

void WriteCertificate(const std::string& path, X509* certificate) {
  Write(path, [&](FILE* file) { return PEM_write_X509(file, certificate); });
}

}  // namespace

struct CertificateAuthority::State {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* root = nullptr;
};

CertificateAuthority::CertificateAuthority(const std::string& name)
    : state_(std::make_unique<State>()) {
  state_->root = MakeCertificate(state_->key, name, absl::Hours(24));
  X509_set_issuer_name(state_->root, X509_get_subject_name(state_->root));
  Extend(state_->root, NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(state_->root, state_->key, EVP_sha256());
}

CertificateAuthority::~CertificateAuthority() {
  X509_free(state_->root);
  EVP_PKEY_free(state_->key);
}

void CertificateAuthority::WriteRoot(const std::string& path) const {
  WriteCertificate(path + ".crt", state_->root);
}

void CertificateAuthority::Issue(const std::string& path, const LeafOptions& options) const {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* leaf = MakeCertificate(key, "kvscope test", options.lifetime);
  X509_set_issuer_name(leaf, X509_get_subject_name(state_->root));
  if (!options.names.empty()) {
    Extend(leaf, NID_subject_alt_name, absl::StrJoin(options.names, ","));
  }
  X509_sign(leaf, state_->key, EVP_sha256());
  Write(path + ".key", [&](FILE* file) {
    return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  WriteCertificate(path + ".crt", leaf);
  X509_free(leaf);
  EVP_PKEY_free(key);
}

}  // namespace kvscope::rpc
