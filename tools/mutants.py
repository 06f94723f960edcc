"""`make mutants`: take each safety rule out of a copy of the code and see the simulation fail.

Every mutation of `tools.mutations` is applied to a copy of the package in a temporary folder, and a process of its own
plays fixed schedules on it until one breaks a rule. The code as it is plays the same schedules and breaks none. Exit 1
when a mutation survives, or cannot be applied any more.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from tools.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parent.parent
_TREE = ("mirrorctl", "tools")
_LONGEST_S = 30
_UNTOUCHED = Mutation("(none)", "the code as it is", ())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one mutation: after `schedules` schedules, of which `seed` was the last, `rules` were broken."""

    mutation: Mutation
    schedules: int
    seed: int | None
    rules: tuple[str, ...]
    text: str
    seconds: float

    @property
    def caught(self) -> bool:
        return self.seed is not None


class StuckError(Exception):
    """A schedule went on and on."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every mutation and print the table. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=300, help="how many a mutation may survive (300)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first schedule (0)")
    parser.add_argument("--workers", type=int, default=2, help="processes side by side (2)")
    parser.add_argument("--only", nargs="*", default=(), help="names of mutations")
    parser.add_argument("--hunt", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.schedules)
    if given.hunt:
        sys.stdout.write(json.dumps(hunt(seeds)))
        return 0
    chosen = [each for each in MUTATIONS if not given.only or each.name in given.only]
    console = Console()
    with ThreadPoolExecutor(given.workers) as pool:
        verdicts = []
        for verdict in pool.map(lambda each: judge(each, seeds), (_UNTOUCHED, *chosen)):
            verdicts.append(verdict)
            console.print(_line(verdict))
    console.print(_table(verdicts))
    wrong = [verdict for verdict in verdicts if verdict.caught is (verdict.mutation is _UNTOUCHED)]
    for verdict in wrong:
        console.print(f"[bold]{verdict.mutation.name}[/]: {verdict.text or 'survived'}")
    return 1 if wrong else 0


def judge(mutation: Mutation, seeds: range) -> Verdict:
    """Play schedules on a copy of the code with the rule taken out."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mirrorctl-mutant-") as folder:
        copy_tree(Path(folder))
        try:
            apply(mutation, Path(folder))
        except ValueError as error:
            return Verdict(mutation, 0, None, (), f"does not apply: {error}", time.monotonic() - began)
        command = [sys.executable, "-m", "tools.mutants", "--hunt", "--first", str(seeds.start)]
        command += ["--schedules", str(len(seeds))]
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return Verdict(mutation, 0, None, (), done.stderr[-2_000:], time.monotonic() - began)
    found = json.loads(done.stdout)
    rules = tuple(found["rules"])
    return Verdict(mutation, found["schedules"], found["seed"], rules, found["text"], time.monotonic() - began)


def copy_tree(folder: Path) -> None:
    """The code that plays, and this script."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in _TREE:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)


def apply(mutation: Mutation, folder: Path) -> None:
    """Carry a mutation out; ValueError where it does not apply exactly once."""
    for edit in mutation.edits:
        (folder / edit.path).write_text(edit.applied(folder))


# --- in the copy --------------------------------------------------------------------------------------------------


def hunt(seeds: range) -> dict[str, object]:
    """Play schedules until one breaks a rule, raises or goes on for ever. What comes back is JSON."""
    from mirrorctl.core.simulation import play  # in the process that plays, not in the one that counts

    if not Path(play.__file__).is_relative_to(Path.cwd().resolve()):
        raise RuntimeError(f"plays {play.__file__}, not the copy in {Path.cwd()}")
    logging.disable(logging.CRITICAL)
    count = 0
    for count, seed in enumerate(seeds, 1):
        found = _played(seed)
        if found:
            rules = sorted({rule for rule, _ in found})
            return {"schedules": count, "seed": seed, "rules": rules, "text": found[0][1]}
    return {"schedules": count, "seed": None, "rules": [], "text": ""}


def _played(seed: int) -> list[tuple[str, str]]:
    """(rule, what was seen) of one schedule."""
    from mirrorctl.core.simulation.play import play
    from mirrorctl.core.simulation.schedule import draw

    try:
        with _within(_LONGEST_S):
            report = play(draw(seed))
    except StuckError as error:
        return [("stuck", str(error))]
    except Exception as error:  # noqa: BLE001 - whatever a mutated program raises is a failure of the simulation
        return [(f"raises {type(error).__name__}", str(error)[:500])]
    return [(breach.rule.value, str(breach)[:500]) for breach in report.breaches]


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise StuckError(f"not over after {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# --- told ---------------------------------------------------------------------------------------------------------


def _line(verdict: Verdict) -> str:
    told = f"seed {verdict.seed}: {', '.join(verdict.rules)}" if verdict.caught else verdict.text or "nothing broken"
    return f"{verdict.mutation.name}: {told} ({verdict.schedules} schedules, {verdict.seconds:.0f} s)"


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table("mutation", "rule taken out", "schedules", "seed", "caught by")
    for verdict in verdicts:
        seed = "" if verdict.seed is None else str(verdict.seed)
        by = ", ".join(verdict.rules) or verdict.text.splitlines()[-1] if verdict.text else "nothing"
        table.add_row(verdict.mutation.name, verdict.mutation.what, str(verdict.schedules), seed, by)
    return table


if __name__ == "__main__":
    sys.exit(main())
