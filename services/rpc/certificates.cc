#include "services/rpc/certificates.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "services/rpc/file_watch.h"
#include "services/status_macros.h"

namespace kvscope::rpc {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> Memory(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

absl::Status Wrong(const std::string& file, std::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", std::string(what)));
}

// All certificates of a PEM text; empty if any part of it cannot be read.
std::vector<Owned<X509>> ParseChain(const std::string& pem) {
  std::vector<Owned<X509>> chain;
  const Owned<BIO> bio = Memory(pem);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    chain.emplace_back(next);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) chain.clear();
  return chain;
}

Owned<EVP_PKEY> ParseKey(const std::string& pem) {
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  return Owned<EVP_PKEY>(
      PEM_read_bio_PrivateKey(Memory(pem).get(), nullptr, no_passphrase, nullptr));
}

absl::Status CheckPair(const TlsFiles& files, const Certificates& read) {
  const std::vector<Owned<X509>> chain = ParseChain(read.cert);
  if (chain.empty()) return Wrong(files.cert, "must hold a certificate in PEM form");
  const Owned<EVP_PKEY> key = ParseKey(read.key);
  if (key == nullptr) {
    return Wrong(files.key, "must hold a private key in PEM form, without a passphrase");
  }
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    return Wrong(files.key, absl::StrCat("is not the key of the certificate in ", files.cert));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(chain.front().get())) < 0) {
    return Wrong(files.cert, "the certificate has expired");
  }
  return absl::OkStatus();
}

std::string TextOf(const GENERAL_NAME& name) {
  if (name.type == GEN_DNS) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(name.d.dNSName)),
            static_cast<size_t>(ASN1_STRING_length(name.d.dNSName))};
  }
  const int family = ASN1_STRING_length(name.d.iPAddress) == 4 ? AF_INET : AF_INET6;
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, ASN1_STRING_get0_data(name.d.iPAddress), text, sizeof text);
  return text;
}

}  // namespace

absl::StatusOr<Certificates> ReadCertificates(const TlsFiles& files) {
  Certificates read;
  if (!files.cert.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(read.cert, ReadSmallFile(files.cert));
    KVSCOPE_ASSIGN_OR_RETURN(read.key, ReadSmallFile(files.key));
    KVSCOPE_RETURN_IF_ERROR(CheckPair(files, read));
  }
  if (!files.ca.empty()) {
    KVSCOPE_ASSIGN_OR_RETURN(read.ca, ReadSmallFile(files.ca));
    if (ParseChain(read.ca).empty()) {
      return Wrong(files.ca, "must hold one or more certificates in PEM form");
    }
  }
  return read;
}

std::string NameOfCertificate(const std::string& file) {
  const absl::StatusOr<std::string> pem = ReadSmallFile(file);
  if (!pem.ok()) return "";
  const std::vector<Owned<X509>> chain = ParseChain(*pem);
  if (chain.empty()) return "";
  const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(chain.front().get(), NID_subject_alt_name, nullptr, nullptr)));
  for (const int type : {GEN_DNS, GEN_IPADD}) {
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
      const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
      if (name->type == type) return TextOf(*name);
    }
  }
  return "";
}

}  // namespace kvscope::rpc
