"""`drill`: fault schedules on the user's own policy, and a scorecard."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands import amounts, drill_tables, logs
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.errors import UsageError

if TYPE_CHECKING:
    from mirrorctl.core.simulation.drill import Drill, Failure
    from mirrorctl.core.simulation.ground import Rehearsal

_SCHEDULES = 16  # some seconds
_SHRINK_MS = 30_000
_MINUTE_MS = 60_000
_MOST_BREACHES = 100
_FINDINGS = 3
_INTERRUPTED = 130

Document = dict[str, Any]


@dataclass(slots=True)
class Played:
    """How a drill went: how long it took, its first failure where it was looked for, whether Ctrl-C ended it."""

    took_ms: int = 0
    failure: Failure | None = None
    interrupted: bool = False


def drill(
    context: typer.Context,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The first schedule; the next are N+1, N+2, …")] = 1,
    minutes: Annotated[
        str | None, typer.Option(metavar="M", help="Play for so long, in place of a number of schedules.")
    ] = None,
    schedules: Annotated[
        int | None, typer.Option(metavar="N", min=1, help=f"How many schedules to play. Default: {_SCHEDULES}.")
    ] = None,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Play faults against your own policy, on paper, and keep score.

    The same engine against an exchange inside this process, on a virtual clock: it needs no keys, sends nothing to
    anybody, touches no store, and may run beside a daemon. Exits 3 when a rule was broken or nothing was tested.

    Example: mirrorctl drill --minutes 5
    """
    from mirrorctl.core.simulation.drill import Drill
    from mirrorctl.core.simulation.ground import rehearsal_of

    session = open_session(context, profile, as_json)
    if minutes is not None and schedules is not None:
        raise UsageError("--minutes and --schedules exclude each other", "choose one")
    limit_ms = None if minutes is None else int(Decimal(amounts.positive(minutes, "--minutes")) * _MINUTE_MS)
    rehearsal = rehearsal_of(session.profile.policy)
    logs.to_nowhere()
    game = Drill(rehearsal, seed)
    played = _play(session, game, schedules or _SCHEDULES, limit_ms) if rehearsal.policy.mirrors else Played()
    document = document_of(session, game, rehearsal, seed, played)
    session.terminal.result(document, drill_tables.drill(document))
    if played.interrupted:
        raise SystemExit(_INTERRUPTED)
    if document["verdict"] != "passed":
        raise typer.Exit(_FINDINGS)


def _play(session: Session, game: Drill, schedules: int, limit_ms: int | None) -> Played:
    """All schedules, or as many as the time allows; then the first failure is looked into. Ctrl-C ends either."""
    played, clock = Played(), _Stopwatch()

    def lasts() -> bool:
        within = (clock.ms() < limit_ms) if limit_ms is not None else (game.card.schedules < schedules)
        return within and not played.interrupted

    with _ended_by_ctrl_c(played), session.terminal.progress("drill") as show:
        while lasts():
            game.advance()
            played.took_ms = clock.ms()
            done, total = (game.card.schedules, schedules) if limit_ms is None else (played.took_ms, limit_ms)
            show(done, total, _progress_text(game))
        if game.card.broken and not played.interrupted:
            show(1, 1, f"looking for the shortest way to break it again (at most {_SHRINK_MS // 1000} s)")
            searching = _Stopwatch()
            played.failure = game.explain(lambda: played.interrupted or searching.ms() > _SHRINK_MS)
    return played


@contextmanager
def _ended_by_ctrl_c(played: Played) -> Iterator[None]:
    """Ctrl-C is a wish that is looked at between two schedules: an exception may come where nobody lets it through."""

    def note(_signal: int, _frame: FrameType | None) -> None:
        played.interrupted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _progress_text(game: Drill) -> str:
    card = game.card
    return f"{card.schedules} schedules, {sum(card.faults.values())} faults, {len(card.broken)} broken"


class _Stopwatch:
    """Milliseconds since it was made."""

    def __init__(self) -> None:
        self._began_ns = time.monotonic_ns()

    def ms(self) -> int:
        return (time.monotonic_ns() - self._began_ns) // 1_000_000


# --- the document -----------------------------------------------------------------------------------------------------


def document_of(session: Session, game: Drill, rehearsal: Rehearsal, seed: int, played: Played) -> Document:
    """The `drill` document: sums over all schedules, then the mirrors, then what was broken. null: not measured."""
    card, failure = game.card, played.failure
    return {
        "schema": SCHEMA,
        "profile": session.profile.name,
        "at": now_text(),
        "verdict": card.verdict.value,
        "reason": _reason(game, rehearsal, played),
        "interrupted": played.interrupted,
        "seed": seed,
        "schedules": card.schedules,
        "schedules_per_minute": card.schedules * _MINUTE_MS // played.took_ms if played.took_ms else None,
        "seconds": f"{played.took_ms / 1000:.1f}",
        "events": card.events,
        "faults": dict(sorted(card.faults.items())),
        "kills": card.kills,
        "orders": card.orders,
        "fills": card.fills,
        "duplicates": card.duplicates,
        "stops_hit": card.stops_hit,
        "targets_hit": card.targets_hit,
        "worst_naked_ms": card.worst_naked_ms,
        "worst_convergence_ms": card.worst_convergence_ms,
        "symbols": list(rehearsal.ground.symbols),
        "changed": list(rehearsal.changed),
        "mirrors": [
            {"account": mirror.name, "fills": card.followed[mirror.name], "held": card.held.get(mirror.name)}
            for mirror in rehearsal.policy.mirrors
        ],
        "breaches": [
            {
                "seed": at,
                "rule": breach.rule.value,
                "at_ms": breach.at_ms,
                "account": breach.account or None,
                "text": breach.text,
            }
            for at, breach in card.broken[:_MOST_BREACHES]
        ],
        "failure": None if failure is None else _failure(session, failure),
    }


def _reason(game: Drill, rehearsal: Rehearsal, played: Played) -> str | None:
    """Why the verdict is not `passed`; None where it is."""
    card = game.card
    if card.broken:
        seeds = {seed for seed, _ in card.broken}
        return f"{len(card.broken)} breaches in {len(seeds)} of {card.schedules} schedules"
    if any(card.followed.values()):
        return None
    if not rehearsal.policy.mirrors:
        return "the profile has no mirror in use"
    if not card.schedules:
        return "interrupted before the first schedule ended" if played.interrupted else "no schedule was played"
    held = "; ".join(f"{name}: {reason}" for name, reason in card.held.items())
    return f"no mirror followed anything ({held})" if held else "no mirror followed anything"


def _failure(session: Session, failure: Failure) -> Document:
    profile = "" if session.reference is None else f" --profile {session.reference}"
    return {
        "seed": failure.seed,
        "rule": failure.breach.rule.value,
        "account": failure.breach.account or None,
        "text": failure.breach.text,
        "steps": failure.steps,
        "drawn": failure.drawn,
        "story": list(failure.story),
        "repeat": f"mirrorctl drill --seed {failure.seed} --schedules 1{profile}",
    }
