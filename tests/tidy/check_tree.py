#!/usr/bin/env python3
"""Checks the tree against its own rules; prints one line a finding and exits 1 if there is any.

usage: check_tree.py ROOT

Rules: includes follow the dependency diagram (ARCHITECTURE.md); Protobuf and gRPC headers stay in
service/, rpc/, embed/ and client/; no banned names; no line over 100 columns; every source file is
built by its folder's CMakeLists.txt; calls have deadlines; every extension (a .cc without .h in
scorers/, budgets/, models/) is in its registry and in a test.
"""

import os
import pathlib
import re
import subprocess
import sys

BANNED_NAMES = {"util", "utils", "common", "helper", "helpers", "misc", "base", "core"}
COLUMNS = 100

# Folder below services/ -> folders that its files may include, beside itself: the diagram.
DIAGRAM = {
    "inference/tensor": [],
    "inference/checkpoint": ["inference/tensor"],
    "inference/tokenizer": [],
    "inference/ops": ["inference/tensor"],
    "inference/flow": ["inference/ops", "inference/tensor"],
    "inference/models": [
        "inference/checkpoint",
        "inference/flow",
        "inference/ops",
        "inference/tensor",
    ],
    "inference/scorers": ["inference/flow"],
    "inference/budgets": ["inference/flow", "inference/scorers"],
    "inference/presses": ["inference/flow", "inference/scorers", "inference/budgets"],
    "inference/engine": [
        "inference/presses",
        "inference/scorers",
        "inference/budgets",
        "inference/models",
        "inference/flow",
        "inference/ops",
        "inference/tensor",
        "inference/checkpoint",
        "inference/tokenizer",
    ],
    "inference/inspect": [
        "inference/engine",
        "inference/presses",
        "inference/scorers",
        "inference/budgets",
        "inference/models",
        "inference/flow",
        "inference/ops",
        "inference/tensor",
        "inference/checkpoint",
        "inference/tokenizer",
    ],
    "inference/service": [
        "inference/engine",
        "inference/ops",
        "inference/presses",
        "inference/scorers",
        "inference/budgets",
        "inference/flow",
        "rpc",
    ],
    "inference": ["inference/service", "rpc"],
    "metrics/survival": [],
    "metrics/consensus": [],
    "metrics/outcome": [],
    "metrics/graph": ["metrics/survival", "metrics/consensus"],
    "metrics/estimate": [],
    "metrics/probe": [],
    "metrics": [
        "metrics/survival",
        "metrics/consensus",
        "metrics/outcome",
        "metrics/graph",
        "metrics/probe",
        "metrics/service",
        "rpc",
    ],
    "metrics/service": [
        "metrics",
        "metrics/survival",
        "metrics/consensus",
        "metrics/outcome",
        "metrics/graph",
        "metrics/probe",
        "rpc",
    ],
    "orchestrator/sweep": [],
    "orchestrator/datasets": ["orchestrator/sweep"],
    "orchestrator/datasets/llm": ["orchestrator/datasets", "orchestrator/sweep"],
    "orchestrator/datasets/import": ["orchestrator/datasets", "orchestrator/sweep"],
    "orchestrator/store": ["orchestrator/sweep"],
    "orchestrator/schedule": [
        "orchestrator/store",
        "orchestrator/datasets",
        "orchestrator/sweep",
    ],
    "orchestrator/report": ["orchestrator/store", "orchestrator/datasets", "orchestrator/sweep"],
    "orchestrator/service": [
        "orchestrator/schedule",
        "orchestrator/report",
        "orchestrator/store",
        "orchestrator/datasets",
        "orchestrator/sweep",
        "rpc",
    ],
    "orchestrator": ["orchestrator/service", "rpc"],
    "rpc": [],
    "embed": ["inference/service", "metrics/service", "orchestrator/service", "rpc"],
    # The command line is a client; beside that it reads sweep files and data sets, draws reports,
    # lists the registries and is the door to the engine (`inspect`, `plan`).
    "client/cli": [
        "embed",
        "rpc",
        "orchestrator/sweep",
        "orchestrator/datasets",
        "orchestrator/datasets/llm",
        "orchestrator/datasets/import",
        "orchestrator/report",
        "inference/inspect",
        "inference/engine",
        "inference/presses",
        "inference/tokenizer",
        "metrics",
        "metrics/estimate",
    ],
}
EVERYWHERE = {
    "services/short_waits.h",
    "services/status_macros.h",
    "services/version.h",
}
RPC_FOLDERS = re.compile(
    r"^services/(rpc|embed|client|[a-z]+/service)(/|$)|^services/[a-z]+/main\.cc$"
)
RPC_HEADER = re.compile(r'#include\s+[<"](grpc|grpcpp|google/protobuf|kvscope/v1)/')
INCLUDE = re.compile(r'^\s*#include\s+"(services/[^"]+)"', re.M)
CLIENT_CONTEXT = re.compile(r"\bgrpc::ClientContext (context|\w+_);|<grpc::ClientContext>")
# Streams that last as long as what they follow.
NO_DEADLINE = {
    "services/client/cli/watch.cc",
    "services/inference/service/worker_session.h",
}
EXTENSIONS = ["inference/scorers", "inference/budgets", "inference/models"]
NOT_EXTENSIONS = {"registry.cc", "decoder.cc", "model.cc"}


def area(path):
    """The diagram's folder of a path below services/: the longest one that it lies in."""
    folder = path.parent
    while str(folder) not in (".", ""):
        if str(folder) in DIAGRAM:
            return str(folder)
        folder = folder.parent
    return None


def tracked(root):
    """Files of the tree: git's list, or all of them where there is no repository."""
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        return [
            pathlib.Path(line) for line in listing.stdout.splitlines() if (root / line).exists()
        ]
    return [p.relative_to(root) for p in root.rglob("*") if p.is_file()]


def check_names(path):
    for part in path.parts:
        if part.split(".")[0] in BANNED_NAMES:
            yield f"{path}: '{part}' is a banned name; name the file for its one idea"


def check_columns(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS:
            yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS}"


def check_includes(path, text):
    if path.parts[0] != "services":
        return
    own = area(path.relative_to("services"))
    if own is None:
        if str(path) not in EVERYWHERE:
            yield f"{path}: lies in no folder of the dependency diagram"
        return
    for match in INCLUDE.finditer(text):
        if match.group(1) in EVERYWHERE:
            continue
        other = area(pathlib.Path(match.group(1)).relative_to("services"))
        if other != own and other not in DIAGRAM[own]:
            yield f"{path}: includes {match.group(1)}, which the diagram does not allow from {own}"
    if RPC_HEADER.search(text) and not RPC_FOLDERS.match(str(path)):
        yield f"{path}: includes a Protobuf or gRPC header outside the services' edges"


def check_deadlines(root, path, text):
    """A call without a deadline may wait for ever; rpc/call_policy.h has contexts that have one."""
    if path.parts[0] != "services" or "rpc" in path.parts or str(path) in NO_DEADLINE:
        return
    source = root / path.with_suffix(".cc")
    if "set_deadline(" in text + (source.read_text() if source.exists() else ""):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if CLIENT_CONTEXT.search(line):
            yield f"{path}:{number}: a ClientContext without a deadline: see rpc/call_policy.h"


def check_built(root, path):
    if path.suffix not in (".cc", ".cu"):
        return
    folder = path.parent
    while str(folder) != ".":
        # A service's main.cc is built where the service is, as ../main.cc.
        for lists in (folder / "CMakeLists.txt", folder / "service" / "CMakeLists.txt"):
            if not (root / lists).exists():
                continue
            inside = os.path.relpath(path, lists.parent)
            if re.search(rf"(^|[\s(/]){re.escape(inside)}([\s)]|$)", (root / lists).read_text()):
                return
        if (root / folder / "CMakeLists.txt").exists():
            yield f"{path}: no target builds it: not in {folder}/CMakeLists.txt"
            return
        folder = folder.parent
    yield f"{path}: no CMakeLists.txt above it"


def check_extensions(root, paths):
    tests = "\n".join(
        (root / p).read_text(errors="replace")
        for p in paths
        if p.parts[0] == "tests" and p.suffix in (".cc", ".py")
    )
    for folder in EXTENSIONS:
        registry = root / "services" / folder / "registry.cc"
        listed = registry.read_text() if registry.exists() else ""
        for path in paths:
            if path.parent != pathlib.Path("services") / folder or path.suffix != ".cc":
                continue
            if path.name in NOT_EXTENSIONS or path.with_suffix(".h") in paths:
                continue
            words = path.stem.split("_")
            camel = "".join(w.capitalize() for w in words)
            if not re.search(rf"\bk?{camel}\w*\b|\b{path.stem}\b", listed, re.I):
                yield f"{path}: not in services/{folder}/registry.cc"
            if not re.search(rf"\b{path.stem}\b|{camel}", tests, re.I):
                yield f"{path}: no test names it"


def check(root):
    paths = tracked(root)
    for path in paths:
        if (
            path.suffix not in (".cc", ".h", ".cu", ".cuh", ".proto", ".py")
            and path.name != "CMakeLists.txt"
        ):
            continue
        if path.parts[0] not in ("services", "tests", "proto"):
            continue
        text = (root / path).read_text(errors="replace")
        yield from check_names(path)
        if not path.name.endswith("_pb2.py"):  # protoc's
            yield from check_columns(path, text)
        if path.suffix in (".cc", ".h", ".cu", ".cuh"):
            yield from check_includes(path, text)
            yield from check_deadlines(root, path, text)
            yield from check_built(root, path)
    yield from check_extensions(root, paths)


def main():
    findings = sorted(set(check(pathlib.Path(sys.argv[1]).resolve())))
    print("\n".join(findings) or "the tree keeps its rules")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
