"""Command line: `python -m assay_training tower …` and `… base …` train the scorers that ship;
`… train SYSTEM …` and `… convert SYSTEM …` train published ones and make model folders of them;
`… serve …` serves the language models that some of them need; `… verify …` and `… parity …` check."""

from __future__ import annotations

import argparse
import sys

from assay_training.commands import checks, convert, serve, shipped, train


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0, or 1 after printing what is wrong with the input."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except ValueError as error:  # DataError and VerifyError name the file and what was expected
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # of paths that cannot be read or written
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {place}{error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assay_training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (shipped, train, convert, serve, checks):
        group.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
