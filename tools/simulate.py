"""Plays fault schedules for as long as asked: `make simulate SECONDS=60` draws random seeds, `SEED=1` begins at one.

Prints what was measured: how many schedules, a minute and in all, what happened in them, the least of each in any one.
A schedule that breaks a rule is shrunk and printed with its seed; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator

from mirrorctl.core.simulation.play import Report, play
from mirrorctl.core.simulation.schedule import Schedule, Trouble, draw
from mirrorctl.core.simulation.shrink import shrink

_SHOWN_BREACHES = 8


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 where no rule was broken, 1 where one was."""
    asked = _parsed(arguments)
    began, busy = time.monotonic(), time.process_time()
    reports: list[Report] = []
    seed = asked.seed
    while (not reports or time.monotonic() - began < asked.seconds) and len(reports) < asked.schedules:
        reports.append(play(draw(seed)))
        if not reports[-1].passed:
            _say(*failure(draw(seed), reports[-1], tries=asked.tries))
        seed += 1
    _say(*summary(reports, time.monotonic() - began, time.process_time() - busy))
    return 0 if all(report.passed for report in reports) else 1


def summary(reports: list[Report], seconds: float, busy_s: float) -> Iterator[str]:
    """The lines of the scorecard. `busy_s` is the processor's time."""
    count, broken = len(reports), [report.seed for report in reports if not report.passed]
    struck: Counter[str] = Counter()
    for report in reports:
        struck.update(report.faults)
    naked = [report.worst_naked_ms for report in reports if report.worst_naked_ms is not None]
    yield f"schedules            {count}, seeds {reports[0].seed} to {reports[-1].seed}, 2 mirrors each"
    each_ms = 1000 * busy_s / count
    yield f"pace                 {60 * count / seconds:.0f} a minute; {each_ms:.0f} ms of processor time each"
    yield f"events on main       {_sum_and_least([report.events for report in reports])}"
    yield f"kinds of faults      {len(struck)} of {len(Trouble)} struck; at least {min(len(r.faults) for r in reports)}"
    yield f"faults               {struck.total()}: {', '.join(f'{kind} {n}' for kind, n in struck.most_common())}"
    yield f"kills                {sum(report.kills for report in reports)}"
    yield f"orders sent          {sum(report.orders for report in reports)}"
    yield f"fills on mirrors     {sum(report.fills for report in reports)}"
    yield f"stops hit            {_sum_and_least([report.stops_hit for report in reports])}"
    yield f"targets hit          {_sum_and_least([report.targets_hit for report in reports])}"
    yield f"duplicates           {sum(report.duplicates for report in reports)}"
    yield f"worst naked time     {f'{max(naked)} ms' if naked else 'nothing to measure'}"
    yield f"worst convergence    {max(report.worst_convergence_ms for report in reports)} ms after the last fault"
    yield f"rules broken         {f'in {len(broken)}: seeds {broken}' if broken else 'none'}"


def failure(schedule: Schedule, report: Report, *, tries: int) -> Iterator[str]:
    """What was broken, and the shortest schedule found that breaks the same rule."""
    yield f"seed {schedule.seed} broke {len(report.breaches)} times a rule:"
    for breach in report.breaches[:_SHOWN_BREACHES]:
        yield f"  {breach.at_ms} ms {breach.account} {breach.rule}: {breach.text}"
    rule = report.breaches[0].rule
    short = shrink(schedule, lambda each: any(breach.rule is rule for breach in play(each).breaches), tries=tries)
    yield f"shrunk from {len(schedule.steps)} steps to {len(short.steps)}: {rule}"
    yield from (f"  {line}" for line in play(short).story)


def _sum_and_least(counts: list[int]) -> str:
    return f"{sum(counts)}; at least {min(counts)} in each schedule"


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="play fault schedules and report what they came to")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to play")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9), help="the first seed")
    parser.add_argument("--schedules", type=int, default=sys.maxsize, help="how many at most")
    parser.add_argument("--tries", type=int, default=200, help="plays that shrinking a failure may cost")
    return parser.parse_args(arguments)


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    raise SystemExit(main())
