"""Python packages for tests, in a virtual environment outside the tree that later runs find again.

A test calls `enter` first: it goes on inside the environment, or exits 77 (skipped) where the
packages cannot be had because no package index answers.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

SKIPPED = 77
# What the client asks for in pyproject.toml, at the releases that these tests were last seen with.
CLIENT = (
    "grpcio==1.85.3",
    "protobuf==7.36.2",
    "googleapis-common-protos==1.76.0",
    "pandas==3.1.1",
    "PyYAML==6.0.4",
    "tqdm==4.70.1",
)
UNREACHABLE = (
    "NewConnectionError",
    "Retrying (Retry",
    "Name or service not known",
    "ConnectTimeout",
)


def _cache() -> pathlib.Path:
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "kvscope-tests"


def install(python: pathlib.Path, *arguments: str) -> None:
    """pip install; exits 77 where no index answers."""
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode == 0:
        return
    if any(words in run.stderr for words in UNREACHABLE):
        print(f"skipped: no package index answers, and {' '.join(arguments)} is not here yet")
        sys.exit(SKIPPED)
    sys.exit(f"pip install {' '.join(arguments)} failed:\n{run.stdout}{run.stderr}")


def make(name: str, packages: tuple) -> pathlib.Path:
    """The environment's interpreter; made by the first of several tests that ask at once."""
    digest = hashlib.sha256(repr((sys.version_info[:2], packages)).encode()).hexdigest()[:12]
    folder = _cache() / f"{name}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            install(folder / "bin" / "python", *packages)
            (folder / "complete").touch()
    return folder / "bin" / "python"


def enter(name: str, packages: tuple) -> None:
    python = make(name, packages)
    if pathlib.Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])
