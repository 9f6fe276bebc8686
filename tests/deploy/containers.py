"""Real images and containers, where there is neither a registry nor Docker.

Debian's buildah, podman and runc work in a store of their own (KVSCOPE_IMAGES_DIR, by default
~/.cache/kvscope/images), which is kept between runs: the base image, the layers and nothing else.
The base image is made by mmdebstrap and imported under the name that the Dockerfile says.
"""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(os.environ.get("KVSCOPE_SOURCE", pathlib.Path(__file__).parents[2]))
STATE = pathlib.Path(
    os.environ.get("KVSCOPE_IMAGES_DIR") or pathlib.Path.home() / ".cache/kvscope/images"
)
BASE = "docker.io/library/debian:bookworm-slim"
BASE_LASTS_SECONDS = 7 * 86400
TARGETS = ("orchestrator", "metrics", "worker", "worker-cuda", "cli")
TOOLS = ("podman", "buildah", "runc", "mmdebstrap", "docker-compose")
SKIPPED = 77  # what ctest takes for "not here"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def skip(reason):
    """Ends the program as skipped; says why."""
    print(f"SKIPPED, no container was built or run: {reason}", flush=True)
    sys.exit(SKIPPED)


def ccache_base():
    """The folder below which ccache takes paths as relative on this machine; "" for none."""
    asked = (
        run(["ccache", "--get-config", "base_dir"], check=False) if shutil.which("ccache") else None
    )
    return asked.stdout.strip() if asked else ""


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def image_of(target):
    return f"localhost/kvscope-{target}:test"


class Engine:
    """podman and buildah in the store of the tests."""

    def __init__(self):
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            skip(f"not installed: {', '.join(missing)} (scripts/install-packages --with-tests)")
        if os.geteuid() != 0:
            skip("containers are started by root here")
        (STATE / "tmp").mkdir(parents=True, exist_ok=True)
        self.environment = dict(
            os.environ,
            CONTAINERS_CONF=str(self._write_configuration()),
            CONTAINERS_STORAGE_CONF=str(self._write_storage()),
            TMPDIR=str(STATE / "tmp"),
        )
        self._share_ccache()
        self._import_base()
        self.isolation = self._find_isolation()

    def _write_configuration(self):
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
        path = STATE / "containers.conf"
        path.write_text(f"""[containers]
default_ulimits = ["nofile={files}:{files}", "nproc=16384:16384"]
[engine]
cgroup_manager = "cgroupfs"
compat_api_enforce_docker_hub = false
events_logger = "file"
runtime = "runc"
""")
        return path

    def _write_storage(self):
        path = STATE / "storage.conf"
        path.write_text(f"""[storage]
driver = "overlay"
graphroot = "{STATE}/store"
runroot = "{STATE}/run"
""")
        return path

    def _share_ccache(self):
        """The Dockerfile's cache mount is the compiler cache of this machine."""
        local = os.environ.get("CCACHE_DIR") or pathlib.Path.home() / ".cache/ccache"
        mount = STATE / "tmp/buildah-cache/kvscope-ccache"
        mount.parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(local).mkdir(parents=True, exist_ok=True)
        mount.unlink(missing_ok=True)
        mount.symlink_to(local)

    def _import_base(self):
        tar = STATE / "base.tar"
        stale = not tar.exists() or time.time() - tar.stat().st_mtime > BASE_LASTS_SECONDS
        if stale:
            say("making the base image with mmdebstrap")
            part = STATE / f"base.{os.getpid()}.tar"
            command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"]
            run(command + ["bookworm", str(part)])
            part.replace(tar)
            self.podman("rmi", "--all", "--force", check=False)
        if self.podman("image", "exists", BASE, check=False).returncode != 0:
            path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            self.podman("import", "--change", f"ENV {path}", str(tar), BASE)

    def _find_isolation(self):
        """ "oci" where containers run, else "chroot", which builds but runs none."""
        probe = self.podman("run", "--rm", "--network=none", BASE, "true", check=False)
        self.why_none_runs = probe.stderr.strip()
        return "oci" if probe.returncode == 0 else "chroot"

    def podman(self, *arguments, check=True, timeout=300):
        command = ["podman", *arguments]
        return run(command, env=self.environment, check=check, timeout=timeout)

    def build(self, target, file="docker/Dockerfile", context=SOURCE, extra=()):
        """Builds one stage, from cached layers where nothing changed; returns the seconds."""
        begin = time.monotonic()
        command = ["buildah", "bud", "--format=docker", "--layers", "--network=host"]
        command += ["--pull-never", f"--isolation={self.isolation}", *extra]
        if file == "docker/Dockerfile":  # as on this machine, so that its compiler cache is used
            command += ["--build-arg", f"SOURCE_DIR={SOURCE}"]
            command += ["--build-arg", f"CCACHE_BASEDIR={ccache_base()}"]
        if pathlib.Path(CERTIFICATES).exists():  # where pip goes through a proxy, it trusts this
            command += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
        command += ["--file", str(SOURCE / file), "--target", target]
        command += ["--tag", image_of(target), str(context)]
        run(command, env=self.environment, timeout=3000)
        return time.monotonic() - begin

    def build_all(self):
        for target in TARGETS:
            seconds = self.build(target)
            say(f"image {target}: {seconds:.0f} s, {self.size(target) / 1e6:.0f} MB")
        if self.isolation == "chroot":
            skip(f"every image builds, but no container runs here: {self.why_none_runs}")

    def size(self, target):
        return self.inspect(image_of(target), "image")["Size"]

    def inspect(self, name, kind="container"):
        return json.loads(self.podman(kind, "inspect", name).stdout)[0]

    def containers(self, *arguments):
        return self.podman("ps", "--quiet", "--no-trunc", *arguments).stdout.split()

    def clean(self):
        """Removes what a run that was killed left: containers, networks and volumes, not images."""
        containers = self.podman("ps", "--all", "--quiet").stdout.split()
        if containers:
            self.podman("rm", "--force", "--time=0", "--depend", *containers)
        self.podman("network", "prune", "--force")
        self.podman("volume", "prune", "--force")

    @contextlib.contextmanager
    def api(self):
        """podman's Docker-like socket, with a loop that runs what systemd's timers would: the
        containers' health checks. Yields the environment for docker-compose."""
        with tempfile.TemporaryDirectory() as folder:
            socket = f"unix://{folder}/podman.sock"
            service = subprocess.Popen(
                ["podman", "system", "service", "--time=0", socket],
                env=self.environment,
                stderr=subprocess.DEVNULL,
            )
            stop = threading.Event()
            loop = threading.Thread(target=self._check_health, args=(stop,))
            try:
                wait_for(lambda: pathlib.Path(folder, "podman.sock").exists(), 30, "the socket")
                loop.start()
                yield dict(self.environment, DOCKER_HOST=socket)
            finally:
                stop.set()
                if loop.is_alive():
                    loop.join()
                service.terminate()
                service.wait(30)

    def _check_health(self, stop):
        while not stop.wait(1.5):
            for container in self.podman("ps", "--quiet", check=False).stdout.split():
                self.podman("healthcheck", "run", container, check=False)


def run(command, check=True, timeout=300, **options):
    """As subprocess.run; a failure tells what the command said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        told = (done.stdout[-4000:] + done.stderr[-4000:]).strip()
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{told}")
    return done


def wait_for(condition, seconds, what):
    """Waits until condition() is true; returns how long that took."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return time.monotonic() - begin
