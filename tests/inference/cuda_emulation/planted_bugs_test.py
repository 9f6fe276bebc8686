#!/usr/bin/env python3
"""Plants bugs in copies of the CUDA backend's sources; the emulated builds must report every one.

usage: planted_bugs_test.py SOURCE_DIR BUILD_DIR [BUG...]

Each bug is one replaced text of one file. It is compiled with the flags of the builds that must see
it (plain, race, asan), linked into their test binary in place of the right object, and a part of
the ops suite is run: it must fail, and say what the bug is expected to say.
"""

import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from typing import NamedTuple

FOLDER = pathlib.Path("services/inference/ops/cuda")


class Bug(NamedTuple):
    file: str  # that the text is replaced in
    right: str
    wrong: str
    compiled: str  # the source that is compiled with it
    tests: str  # filter of cases, without the device
    seen: dict  # build -> what its output must match
    schedule: int = 0


BUGS = {
    "a lane leaves a shuffle out": Bug(
        "reduce.cu",
        "const float value = __shfl_xor_sync(kAllLanes, best.value, lanes);",
        "const float value = threadIdx.x == 3 ? best.value"
        " : __shfl_xor_sync(kAllLanes, best.value, lanes);",
        "reduce.cu",
        "*Argmax*",
        {"plain": "divergent warp operation|deadlock"},
    ),
    "a barrier that half of the block reaches": Bug(
        "reduce.cuh",
        "  __syncthreads();\n  float sum = 0;",
        "  if (threadIdx.x < 128) __syncthreads();\n  float sum = 0;",
        "reduce.cu",
        "*RmsNorm*",
        {"plain": "deadlock"},
    ),
    "no barrier before the sums of other warps are read": Bug(
        "reduce.cuh",
        "  __syncthreads();\n  float sum = 0;",
        "  float sum = 0;",
        "reduce.cu",
        "*RmsNorm*",
        {"race": "data race on shared memory", "plain": "FAILED"},
    ),
    "a row is written one number too far": Bug(
        "reduce.cu",
        "i < width; i += kThreads) to[i]",
        "i <= width; i += kThreads) to[i]",
        "reduce.cu",
        "*RmsNorm*",
        {"asan": "heap-buffer-overflow", "race": "data race on global memory"},
    ),
    "the next tile overwrites what slower warps still read": Bug(
        "attention_tile.cuh",
        "    __syncthreads();  // the tile before is done with\n",
        "",
        "attention.cu",
        "*CausalBlocksEqual*",
        {"race": "data race on shared memory"},
    ),
    "keys beyond the last token are read": Bug(
        "attention_tile.cuh",
        "t < count ? tokens.Value(first + t) : nullptr",
        "tokens.Value(first + t)",
        "attention.cu",
        "*OpsTest.CausalAttention*",
        {"plain": "FAILED", "asan": "heap-buffer-overflow"},
    ),
    "a query sees the token after its own": Bug(
        "attention.cu",
        "FirstBits(position[i] + 1 - first)",
        "FirstBits(position[i] + 2 - first)",
        "attention.cu",
        "*OpsTest.CausalAttention*",
        {"plain": "FAILED"},
    ),
    "too little shared memory is asked for": Bug(
        "attention.cu",
        "Shape::kSharedBytes, stream",
        "Shape::kSharedBytes - 64, stream",
        "attention.cu",
        "*CausalBlocksEqual*",
        {"asan": "use-after-poison"},
    ),
    "more than 48 KiB of shared memory without leave": Bug(
        "launch.h",
        "if (shared_bytes > kSharedBytesUnasked) {",
        "if (shared_bytes > 100 * kSharedBytesUnasked) {",
        "attention.cu",
        "*OpsTest.CausalAttention*",
        {"plain": "start of a kernel: invalid argument"},
    ),
    "parts that no kernel wrote are read": Bug(
        "grid.cu",
        "for (int p = 0; p < plan.parts; ++p) sum",
        "for (int p = 0; p <= plan.parts; ++p) sum",
        "grid.cu",
        "*GridTest.MatchesReference*",
        {"plain": "FAILED"},
    ),
    "of equal scores the later token wins": Bug(
        "attention_tile.cuh",
        "token >= 0 && token < top_token[i]",
        "token >= 0 && token > top_token[i]",
        "grid.cu",
        "*TopTokenTies*",
        {"plain": "FAILED"},
    ),
    "a block's counts are read before all are written": Bug(
        "grid.cu",
        "    counts[threadIdx.x] = __popcll(bits);\n    __syncthreads();",
        "    counts[threadIdx.x] = __popcll(bits);",
        "grid.cu",
        "*GridTest.MatchesReference*",
        {"race": "data race on shared memory"},
    ),
    "the last split counts tokens of the one before again": Bug(
        "grid.cu",
        "const int t = begin + i;\n    return t >= own && (",
        "const int t = begin + i + 0 * own;\n    return (",
        "grid.cu",
        "*GridTest.MatchesReference*",
        {"plain": "FAILED"},
    ),
    "a batch of products has no queries": Bug(
        "grid.cu",
        "  plan.factors[kQueries * batches + batch] = packed;\n",
        "",
        "grid.cu",
        "*GridTest.MatchesReference*",
        {"plain": "not in device memory", "race": "not in device memory"},
    ),
    "scores of many tiles overrun their room": Bug(
        "grid.cu",
        "(batch % (plan.most_tiles * plan.splits))",
        "batch",
        "grid.cu",
        "*GridTest.LongContext*",
        {"plain": "not in device memory|FAILED"},
    ),
    "the host does not wait for its copy": Bug(
        "device.cc",
        '"a copy");\n  }\n  Wait();',
        '"a copy");\n  }\n  Flush();',
        "device.cc",
        "*EmbedRowsColumnsAdd*",
        {"plain": "FAILED"},
    ),
    "a copy beside other ops does not wait for those before it": Bug(
        "device.cc",
        '  CheckCuda(cudaStreamWaitEvent(copies_, written, 0), "order of streams");\n',
        "",
        "device.cc",
        "*CopiesToTheHost*",
        {"plain": "FAILED"},
    ),
    "a copy to the host goes the wrong way": Bug(
        "device.cc",
        "cudaMemcpyAsync(host, from, size_bytes, cudaMemcpyDeviceToHost, copies_)",
        "cudaMemcpyAsync(host, from, size_bytes, cudaMemcpyHostToDevice, copies_)",
        "device.cc",
        "*CopiesToTheHost*",
        {"plain": "a copy: invalid argument"},
    ),
    "arguments are copied the wrong way": Bug(
        "memory.cc",
        "cudaMemcpyHostToDevice, device_->stream()",
        "cudaMemcpyDeviceToHost, device_->stream()",
        "memory.cc",
        "*EmbedRowsColumnsAdd*",
        {"plain": "copy of arguments: invalid argument"},
    ),
    "a sink is not told to wait for its copy": Bug(
        "device.cc",
        'return [copied] { CheckCuda(cudaEventSynchronize(copied.get()), "wait for a copy"); };',
        "return [copied] {};",
        "device.cc",
        "*CopiesToTheHost*",
        {"plain": "FAILED"},
    ),
    "memory is freed before the ops that use it": Bug(
        "device.cc",
        "  try {\n    Flush();\n  } catch (const DeviceError&) {  // the device has failed,",
        "  try {\n  } catch (const DeviceError&) {  // the device has failed,",
        "device.cc",
        "*MemoryThatIsFreedInAStep*",
        {"plain": "FAILED"},
    ),
}


def run(command, cwd, **options):
    done = subprocess.run(
        command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )
    return done.returncode, done.stdout


def check(bug, build, source, build_dir, scratch):
    """Nothing, or why the bug counts as not reported by this build."""
    planted = scratch / FOLDER
    planted.mkdir(parents=True)
    for path in (source / FOLDER).iterdir():
        if path.is_file():
            (planted / path.name).write_text(path.read_text())
    text = (planted / bug.file).read_text()
    if text.count(bug.right) != 1:
        return f"{bug.file} has its text {text.count(bug.right)} times"
    (planted / bug.file).write_text(text.replace(bug.right, bug.wrong))

    # An object of the backend for this build, compiled from the copy and before the original's
    # headers, then linked as the test is.
    compiled = str(source / FOLDER / bug.compiled)
    entry = next(
        entry
        for entry in json.loads((build_dir / "compile_commands.json").read_text())
        if entry["file"] == compiled and re.search(rf"_{build}\.dir/", entry["command"])
    )
    words = shlex.split(entry["command"])
    right_object = words[words.index("-o") + 1]
    wrong_object = str(scratch / "planted.o")
    words = [wrong_object if w == right_object else w for w in words]
    words = [str(planted / bug.compiled) if w == compiled else w for w in words]
    compiler = next(i for i, w in enumerate(words) if w.startswith("-"))
    words.insert(compiler, f"-I{scratch}")
    code, output = run(words, entry["directory"])
    if code != 0:
        return "does not compile:\n" + output
    test = f"bin/cuda_ops_test_{build}"
    _, commands = run(["ninja", "-t", "commands", test], build_dir)
    link = commands.splitlines()[-1].replace(right_object, wrong_object)
    link = link.replace(f"-o {test} ", f"-o {scratch}/test ")
    code, output = run(link, build_dir, shell=True)
    if code != 0:
        return "does not link:\n" + output
    code, output = run(
        [scratch / "test", f"--gtest_filter={bug.tests}/cuda"],
        scratch,
        env={"KVSCOPE_CUDA_SCHEDULE": str(bug.schedule)},
    )
    if code == 0:
        return "is not reported:\n" + output[-500:]
    if not re.search(bug.seen[build], output):
        return f"is reported, but not as {bug.seen[build]}:\n" + output[-2000:]
    return None


def main():
    source, build_dir = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    failed = 0
    for name, bug in BUGS.items():
        if sys.argv[3:] and name not in sys.argv[3:]:
            continue
        for build in bug.seen:
            with tempfile.TemporaryDirectory() as scratch:
                problem = check(bug, build, source, build_dir, pathlib.Path(scratch))
            print(f"{build}: {name}: {problem or 'reported'}", flush=True)
            failed += problem is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
