"""`make bench`: measure, print, write benchmarks/results/latest.json, and docs/performance.md where asked."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks.docs import write_docs
from benchmarks.gates import gates
from benchmarks.results import Results
from benchmarks.run import FULL, PARTS, QUICK, measure
from benchmarks.tables import screen

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> int:
    """Exit code 0 whether the gates are met or not: the table says it."""
    asked = _parsed()
    logging.getLogger("mirrorctl").setLevel(logging.CRITICAL)  # the simulation's alerts are no news here
    told = Console(stderr=True, highlight=False)
    parts = asked.only.split(",") if asked.only else PARTS
    results = measure(QUICK if asked.quick else FULL, parts, asked.seed, lambda text: told.print(f"… {text}"))
    screen(results, Console(width=None if sys.stdout.isatty() else 120))
    if asked.save:
        _save(results)
    if asked.docs:
        write_docs(results)
    return 0


def _save(results: Results) -> None:
    judged = [{**asdict(gate), "verdict": gate.verdict} for gate in gates(results)]
    RESULTS.parent.mkdir(exist_ok=True)
    document = msgspec.json.format(msgspec.json.encode({"gates": judged, **asdict(results)}))
    RESULTS.write_bytes(document + b"\n")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, under a minute")
    parser.add_argument("--only", default="", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/performance.md")
    parser.add_argument("--no-save", dest="save", action="store_false", help="leave benchmarks/results alone")
    asked = parser.parse_args()
    unknown = [part for part in asked.only.split(",") if asked.only and part not in PARTS]
    if unknown:
        parser.error(f"no part is called {', '.join(unknown)}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
