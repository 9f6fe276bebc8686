#!/usr/bin/env python3
"""The preset engine-only asks for no target that only the services have.

usage: engine_only_test.py SOURCE_DIR

CMake takes a target that it does not know for a library of the machine (-lkvscope_...), which is
found out by the linker alone, and nobody here builds this preset every day.
"""

import pathlib
import re
import subprocess
import sys
import tempfile


def main():
    with tempfile.TemporaryDirectory() as build:
        configured = subprocess.run(
            ["cmake", "--preset", "engine-only", "-B", build],
            cwd=sys.argv[1],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if configured.returncode != 0:
            print(configured.stdout)
            return 1
        rules = (pathlib.Path(build) / "build.ninja").read_text()
    if "kvscope_inference_engine" not in rules:
        print("build.ninja names no engine")
        return 1
    missing = sorted(set(re.findall(r"-l(kvscope\w+)", rules)))
    for target in missing:
        print(f"{target} is linked, but is no target of the preset engine-only")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
