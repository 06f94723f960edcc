"""`demo`: the main job on the paper exchange, start to finish."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from mirrorctl.commands import tables
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, open_session
from mirrorctl.core.domain.errors import PartlyDone, UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.profile.catalogue import shipped_dir
from mirrorctl.core.profile.load import read_profile
from mirrorctl.core.profile.model import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorctl.commands.session import Session
    from mirrorctl.core.engine.records import MeasuredCopy


_PACE_S = 1.0  # between chapters, so that a reader can follow


def demo(context: typer.Context, as_json: JsonOption = False, profile: ProfileOption = None) -> None:
    """See it work: a trade on main and two mirrors that follow, on paper.

    It plays on an exchange and a daemon of its own, in a temporary folder: no keys, no questions.

    Example: mirrorctl demo
    """
    from mirrorctl.commands.stage import Stage
    from mirrorctl.commands.story import Story

    session = open_session(context, profile, as_json)
    events: list[dict[str, Any]] = []
    began = time.monotonic()

    def say(account: str, text: str) -> None:
        elapsed = time.monotonic() - began
        events.append({"after_ms": int(elapsed * 1000), "account": account, "text": text})
        session.terminal.show(Text(f"{elapsed:5.1f} s  {account:<9} {text}"))

    played = _profile(session, profile)
    with Stage(played) as stage:
        say("demo", f"paper exchange at {stage.exchange.rest_url}; the daemon is ready")
        for mirror in played.policy.mirrors:
            if mirror.enabled:
                say(mirror.name, f"follows main at {plain(mirror.sizing.value * 100)}%")
        story = Story(stage, say, pace_s=_PACE_S if session.terminal.out.is_terminal else 0.0)
        story.tell()
        rows = story.rows()
        stage.stop_daemon()
        rows = [{**row, **_measured(stage.measured_copies(), row["account"])} for row in rows]
    converged = not story.failed and all(row["in_step"] is not False for row in rows)
    document = {
        "schema": SCHEMA,
        "profile": played.name,
        "converged": converged,
        "seconds": f"{time.monotonic() - began:.1f}",
        "accounts": rows,
        "events": events,
    }
    end = "every account converged" if converged else "not every account converged"
    session.terminal.result(document, "", tables.demo(rows), "", f"{end} ({document['seconds']} s)")
    if not converged:
        raise typer.Exit(PartlyDone.exit_code)


def _profile(session: Session, named: str | None) -> Profile:
    """The shipped paper profile, or a paper profile that was named; the environment's keys and switches stay out."""
    if named is None:
        return read_profile(shipped_dir() / "paper.toml", {})
    found = session.profile
    if not found.embedded_paper:
        raise UsageError(
            f"the profile {found.name} has an exchange of its own", "the demo plays on paper: leave -p out"
        )
    return found


def _measured(copies: Iterable[MeasuredCopy], account: str) -> dict[str, Any]:
    """Latencies of an account's copies, from main's fill to the mirror's, by the exchange's clock."""
    found = [copy.mirror_exec_ms - copy.main_exec_ms for copy in copies if copy.account == account]
    latency = {"p50": round(median(found)), "max": max(found)} if found else None
    return {"copies": len(found), "latency_ms": latency}
