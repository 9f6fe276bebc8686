"""python -m kvscope COMMAND: `figures` draws a report's figures, `ray` keeps workers running."""

from __future__ import annotations

import sys


def main() -> int:
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "figures":
        from kvscope import figures

        return figures.main(sys.argv[2:])
    if command == "ray":
        from kvscope import ray

        return ray.main(sys.argv[2:])
    print("usage: python -m kvscope figures|ray ...", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
