// FollowCertificates (certificates.h).
//
// gRPC's FileWatcherCertificateProvider reads files again every second, but hands on whatever it
// finds there: with half-written files no new connection would come about. So it watches copies in
// memory (memfd), and only a set of certificates that was checked is copied there.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/rpc/certificates.h"
#include "services/rpc/file_watch.h"
#include "services/rpc/telemetry.h"
#include "services/status_macros.h"

namespace kvscope::rpc {
namespace {

constexpr unsigned kRefreshSeconds = 1;

// A file in memory whose content is replaced as a whole.
class MemoryFile {
 public:
  absl::Status Write(const std::string& content) {
    const int fresh = memfd_create("kvscope-certificates", MFD_CLOEXEC);
    if (fresh < 0) return Failed("memfd_create");
    const bool written =
        write(fresh, content.data(), content.size()) == static_cast<ssize_t>(content.size());
    // Keeps the number, so that `path` stays, and closes what it meant before.
    if (written && fd_ >= 0 && dup3(fresh, fd_, O_CLOEXEC) < 0) return Failed("dup3");
    if (written && fd_ < 0) {
      fd_ = fresh;
    } else {
      close(fresh);
    }
    return written ? absl::OkStatus() : Failed("write");
  }

  std::string path() const { return absl::StrCat("/proc/self/fd/", fd_); }

 private:
  static absl::Status Failed(const char* call) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot keep certificates in memory: ", call, ": ", std::strerror(errno)));
  }

  int fd_ = -1;  // stays open for good, as the provider does
};

class Follower final : public grpc::experimental::CertificateProviderInterface {
 public:
  explicit Follower(TlsFiles files) : files_(std::move(files)) {}

  absl::Status Start() {
    KVSCOPE_ASSIGN_OR_RETURN(known_, ReadCertificates(files_));
    KVSCOPE_RETURN_IF_ERROR(Write());
    const bool pair = !files_.cert.empty(), roots = !files_.ca.empty();
    provider_ = std::make_unique<grpc::experimental::FileWatcherCertificateProvider>(
        pair ? key_.path() : "", pair ? cert_.path() : "", roots ? ca_.path() : "",
        kRefreshSeconds);
    std::vector<std::string> paths;
    for (const std::string& path : {files_.cert, files_.key, files_.ca}) {
      if (!path.empty()) paths.push_back(path);
    }
    watch_ = std::make_unique<FileWatch>(paths, [this] { Reload(); });
    return absl::OkStatus();
  }

  grpc_tls_certificate_provider* c_provider() override { return provider_->c_provider(); }

 private:
  absl::Status Write() {
    if (!files_.cert.empty()) {
      KVSCOPE_RETURN_IF_ERROR(key_.Write(known_.key));
      KVSCOPE_RETURN_IF_ERROR(cert_.Write(known_.cert));
    }
    return files_.ca.empty() ? absl::OkStatus() : ca_.Write(known_.ca);
  }

  void Reload() {
    absl::StatusOr<Certificates> read = ReadCertificates(files_);
    if (read.ok() && *read == known_) return;
    absl::Status status = read.status();
    if (status.ok()) {
      known_ = *std::move(read);
      status = Write();
    }
    if (!status.ok()) {
      Log(LogLevel::kError, "changed certificates cannot be used; the old ones stay in use",
          {{"error", std::string(status.message().data(), status.message().size())}});
      return;
    }
    Log(LogLevel::kInfo, "certificates were read anew", {{"cert", files_.cert}, {"ca", files_.ca}});
  }

  const TlsFiles files_;
  Certificates known_;
  MemoryFile cert_, key_, ca_;
  std::unique_ptr<grpc::experimental::FileWatcherCertificateProvider> provider_;
  std::unique_ptr<FileWatch> watch_;  // last: it calls Reload
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::experimental::CertificateProviderInterface>>
FollowCertificates(const TlsFiles& files) {
  // Never destroyed: gRPC keeps the provider that is inside beyond its wrapper.
  static std::mutex mutex;
  static auto* followers = new std::map<TlsFiles, std::shared_ptr<Follower>>();
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<Follower>& follower = (*followers)[files];
  if (follower == nullptr) {
    auto started = std::make_shared<Follower>(files);
    const absl::Status status = started->Start();
    if (!status.ok()) {
      followers->erase(files);
      return status;
    }
    follower = std::move(started);
  }
  return std::static_pointer_cast<grpc::experimental::CertificateProviderInterface>(follower);
}

}  // namespace kvscope::rpc
