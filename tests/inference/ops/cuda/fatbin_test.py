#!/usr/bin/env python3
"""Checks that each source of a library is in it as machine code of every architecture, and as PTX
of the newest.

usage: fatbin_test.py LIBRARY SM...

The format (as fatbinary writes it): a header of magic 0xBA55ED50, its size and the size of what
follows; then entries, each with a header of kind (1 PTX, 2 machine code), its own size, the size of
what follows, and at byte 28 the architecture.
"""

import pathlib
import struct
import sys

MAGIC = struct.pack("<IH", 0xBA55ED50, 1)
PTX, MACHINE_CODE = 1, 2


def fat_binaries(data):
    """The entries, {(kind, architecture)}, of every fat binary in `data`: one for each source."""
    at = data.find(MAGIC)
    while at >= 0:
        _, _, header_bytes, body_bytes = struct.unpack_from("<IHHQ", data, at)
        entry, end = at + header_bytes, at + header_bytes + body_bytes
        entries = set()
        while entry < end:
            kind, _, header, size = struct.unpack_from("<HHIQ", data, entry)
            (architecture,) = struct.unpack_from("<I", data, entry + 28)
            entries.add((kind, architecture))
            entry += header + size
        yield entries
        at = data.find(MAGIC, end)


def main():
    architectures = {int(sm) for sm in sys.argv[2:]}
    wanted = {(MACHINE_CODE, sm) for sm in architectures} | {(PTX, max(architectures))}
    binaries = list(fat_binaries(pathlib.Path(sys.argv[1]).read_bytes()))
    missing = [sorted(wanted - entries) for entries in binaries if wanted - entries]
    print(f"{len(binaries)} fat binaries; missing (kind, architecture): {missing}")
    return 1 if missing or not binaries else 0


if __name__ == "__main__":
    sys.exit(main())
