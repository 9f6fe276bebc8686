"""python -m kvscope COMMAND: `figures` is the only one yet."""

import sys

from kvscope import figures


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] != "figures":
        print("usage: python -m kvscope figures DIR", file=sys.stderr)
        return 2
    return figures.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
