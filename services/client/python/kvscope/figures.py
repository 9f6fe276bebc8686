"""Draws what `kvscope report --figures DIR` wrote: <id>.vl.json and <id>.csv as SVG and PNG."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

SUFFIX = ".vl.json"
FORMATS = ("svg", "png")
VEGA_LITE = "5.8"  # the specifications are valid in 4 and 5; the oldest that vl-convert has


class FigureError(Exception):
    """What is wrong with a file, in a sentence for its reader."""


def load(spec_file: pathlib.Path) -> dict[str, Any]:
    """The specification with its rows put in, so that it needs no other file."""
    try:
        spec: dict[str, Any] = json.loads(spec_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FigureError(f"{spec_file}: not a JSON file: {error}") from None
    data = spec.get("data") if isinstance(spec, dict) else None
    url = data.get("url") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(url, str):
        raise FigureError(f"{spec_file}: data.url must name the figure's CSV file")
    if pathlib.PurePath(url).name != url:
        raise FigureError(f"{spec_file}: data.url is {url!r}, but must be a file beside it")
    try:
        rows = (spec_file.parent / url).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise FigureError(f"{spec_file}: cannot read data.url: {error}") from None
    spec["data"] = {"values": rows, "format": data.get("format", {"type": "csv"})}
    return spec


def draw(
    spec_file: pathlib.Path,
    out: pathlib.Path,
    formats: Iterable[str] = FORMATS,
    scale: float = 2,
) -> list[pathlib.Path]:
    """Writes the figure into the folder `out`, once a format; returns the files' paths."""
    import vl_convert

    spec = load(spec_file)
    stem = spec_file.name[: -len(SUFFIX)]
    written = []
    for kind in formats:
        path = out / f"{stem}.{kind}"
        try:
            if kind == "svg":
                image = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE).encode()
            else:
                image = vl_convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=scale)
        except ValueError as error:
            raise FigureError(f"{spec_file}: vl-convert cannot draw it: {error}") from None
        path.write_bytes(image)
        written.append(path)
    return written


def find(folder: pathlib.Path, only: Sequence[str]) -> list[pathlib.Path]:
    """The folder's specifications, by name; those of `only` where it names any."""
    command = f"`kvscope report SWEEP --figures {folder}`"
    if not folder.is_dir():
        raise FigureError(f"{folder}: no such folder; {command} makes it")
    found = {file.name[: -len(SUFFIX)]: file for file in sorted(folder.glob("*" + SUFFIX))}
    if not found:
        raise FigureError(f"{folder}: holds no *{SUFFIX}; {command} writes them")
    for name in only:
        if name not in found:
            raise FigureError(f"--only: {folder} has no figure {name!r}; it has {', '.join(found)}")
    return [found[name] for name in only] if only else list(found.values())


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kvscope-figures", description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, metavar="DIR", help="what --figures wrote")
    parser.add_argument("--out", type=pathlib.Path, help="folder for the pictures; default: DIR")
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="some figures")
    parser.add_argument("--scale", type=float, default=2, help="PNG pixels a point; default: 2")
    options = parser.parse_args(arguments)
    if not 0.1 <= options.scale <= 10:
        parser.error(f"--scale is {options.scale}, but must lie in [0.1, 10]")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        import vl_convert  # noqa: F401
    except ImportError:
        print("error: vl-convert is not installed: pip install vl-convert-python", file=sys.stderr)
        return 1
    out = options.out or options.folder
    try:
        files = find(options.folder, options.only)
        out.mkdir(parents=True, exist_ok=True)
        for file in files:
            for path in draw(file, out, options.format, options.scale):
                print(path)
    except (FigureError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
