#!/usr/bin/env python3
"""Holds what ptxas says of each kernel against a table of ceilings.

usage: ptxas_test.py CEILINGS LOG...  [--write]

Spills and stack must be 0 everywhere. CEILINGS (TSV: kernel, sm, registers, shared bytes) has a
line for every kernel and architecture: more registers or static shared memory than it says fails,
and so does a kernel or a line without the other. --write makes the table anew from the logs, with
registers rounded up to the eights in which a device hands them out.
"""

import pathlib
import re
import subprocess
import sys

HEADER = "kernel\tsm\tregisters\tshared_bytes\n"
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")


def short_names(mangled):
    """The kernel's name, with its template's numbers: CausalKernel<128,64,64>."""
    names = subprocess.run(
        ["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    short = {}
    for symbol, name in zip(mangled, names):
        kernel = re.search(r"(\w+Kernel)(?:<(.*?)>\(|\()", name)
        arguments = re.sub(r"[\w:()]*::|\(int\)|TileShape<|>| ", "", kernel.group(2) or "")
        short[symbol] = kernel.group(1) + (f"<{arguments}>" if arguments else "")
    return short


def read_logs(paths):
    """{(kernel, sm): (registers, shared bytes)}, and the findings about stacks and spills."""
    found, findings, symbols = {}, [], {}
    for path in paths:
        entry = None
        for line in path.read_text().splitlines():
            if match := ENTRY.search(line):
                entry = match.groups()
                symbols[entry[0]] = None
            elif entry and (match := STACK.search(line)):
                if any(int(n) for n in match.groups()):
                    findings.append((entry, line.strip()))
            elif entry and (match := USED.search(line)):
                shared = SHARED.search(line)
                found[entry] = (int(match.group(1)), int(shared.group(1)) if shared else 0)
                entry = None
    short = short_names(list(symbols))
    return (
        {(short[symbol], int(sm)): used for (symbol, sm), used in found.items()},
        [f"{short[symbol]} for sm_{sm}: {line}" for (symbol, sm), line in findings],
    )


def main():
    paths = [pathlib.Path(p) for p in sys.argv[1:] if p != "--write"]
    table, logs = paths[0], paths[1:]
    found, findings = read_logs(logs)
    if "--write" in sys.argv:
        rows = [
            f"{kernel}\t{sm}\t{-(-registers // 8) * 8}\t{shared}\n"
            for (kernel, sm), (registers, shared) in sorted(found.items())
        ]
        table.write_text(HEADER + "".join(rows))
    ceilings = {}
    for line in table.read_text().splitlines()[1:]:
        kernel, sm, registers, shared = line.split("\t")
        ceilings[kernel, int(sm)] = (int(registers), int(shared))
    for key in sorted(found.keys() | ceilings.keys()):
        name = f"{key[0]} for sm_{key[1]}"
        if key not in ceilings:
            findings.append(f"{name}: not in {table.name}")
        elif key not in found:
            findings.append(f"{name}: in {table.name}, but no such kernel was compiled")
        elif any(used > most for used, most in zip(found[key], ceilings[key])):
            findings.append(f"{name}: {found[key]} registers and shared bytes > {ceilings[key]}")
    print("\n".join(findings) or f"{len(found)} kernels and architectures keep their ceilings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
