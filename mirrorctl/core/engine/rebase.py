"""`sync --rebase`: the ratios of open cycles made anew, by today's policy, equities and size of main.

Nobody but the trader does that (design, The target). What mirrors' own exits closed stays closed: caps are kept, and a
mirror that is out of its cycle, or held out of it, keeps its ratio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.errors import Refused
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.sizing import WAITS, Sized, Unsized, ratio_of
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.sizing import inputs_of, value_of, whole_entry


@dataclass(frozen=True, slots=True)
class Rebased:
    """One copy as it is and as it would be; `reason` where no ratio can be made and the one that stands is kept."""

    before: Copy
    after: Copy
    reason: str = ""

    @property
    def changes(self) -> bool:
        return self.before.ratio != self.after.ratio


def rebased(engine: Engine, symbol: str | None, since_ms: int) -> list[Rebased]:
    """Every open copy with the ratio of today, by equities that were read after `since_ms`. Nothing is changed."""
    found = []
    for copy in sorted(engine.keeper.copies.values(), key=lambda copy: copy.key):
        mirror = engine.passes.get(copy.account)
        chosen = symbol in (None, copy.symbol, copy.source[0]) and copy.source in engine.keeper.cycles
        chosen = chosen and engine.keeper.copy_of(copy.account, copy.source) == copy  # else it fits the profile no more
        if not chosen or mirror is None or copy.ended or copy.out or copy.held or copy.unsized:
            continue
        made = _made(engine, copy, since_ms) if engine.is_known(mirror.mirror) else Unsized(f"{WAITS} the mirror")
        if isinstance(made, Sized):
            after = replace(copy, ratio=made.ratio, formula=made.formula, value=_value_kept(engine, copy))
            found.append(Rebased(copy, after))
        else:
            found.append(Rebased(copy, copy, made.reason))
    return found


def _made(engine: Engine, copy: Copy, since_ms: int) -> Sized | Unsized:
    mirror = engine.passes[copy.account]
    policy, key, view = mirror.policy, copy.source, engine.main.view
    if not view.is_settled(key[0]) or view.is_ahead(key[0]):
        return Unsized(f"{WAITS} main's executions")
    entry = whole_entry(engine, key, policy, engine.now_ms())
    value = value_of(policy, replace(copy, value=_value_kept(engine, copy)))
    return ratio_of(policy.sizing.mode, value, inputs_of(engine, mirror.mirror, policy, key, entry, since_ms))


def _value_kept(engine: Engine, copy: Copy) -> Decimal | None:
    """The trader's value for this trade alone; of another mode than it was given for it means nothing."""
    mode = engine.policy.mirror(copy.account).sizing.mode
    return copy.value if copy.formula.startswith(f"{mode}:") else None


@contextmanager
def supposed(engine: Engine, rows: Sequence[Rebased]) -> Iterator[None]:
    """Plan as if the ratios were made; afterwards everything is as before."""
    copies = engine.keeper.copies
    before = {row.before.key: copies[row.before.key] for row in rows}
    copies.update({row.after.key: row.after for row in rows})
    try:
        yield
    finally:
        copies.update(before)


def apply(engine: Engine, rows: Sequence[Rebased]) -> None:
    """Give the copies their ratios: written down, then told."""
    changed = [row for row in rows if row.changes or row.before != row.after]
    with engine.store.batch():
        for row in changed:
            engine.keeper.rebase(row.after)
    now = engine.now_ms()
    for row in (row for row in changed if row.changes):
        text = f"rebased: r = {plain(row.before.ratio)} → {plain(row.after.ratio)}; {row.after.formula}"
        engine.outbox.tell(now, Severity.INFO, "sizing", row.after.account, row.after.symbol, text, str(now))


def confirmed(engine: Engine, shown: Sequence[Mapping[str, Any]]) -> list[Rebased]:
    """The rows that the trader was shown, as they were. Refused when a copy is not what it was by then."""
    copies = {(copy.account, copy.symbol, copy.side.value): copy for copy in engine.keeper.copies.values()}
    found = []
    for row in shown:
        copy = copies.get((row["account"], row["symbol"], row["side"]))
        if copy is None or copy.ended or (copy.tag, plain(copy.ratio)) != (row["cycle"], row["from"]):
            raise Refused(
                f"{row['account']} {row['symbol']}: what was shown is not so any more; nothing was changed",
                "run `mirrorctl sync --rebase` again",
            )
        if row["to"] is not None:
            value = _value_kept(engine, copy)
            found.append(Rebased(copy, replace(copy, ratio=Decimal(row["to"]), formula=row["formula"], value=value)))
    return found


def rebase_json(rows: Sequence[Rebased]) -> list[dict[str, Any]]:
    """One row for each copy: {"account", "symbol", "side", "cycle", "from", "to", "formula", "reason"}."""
    return [
        {
            "account": row.before.account,
            "symbol": row.before.symbol,
            "side": row.before.side.value,
            "cycle": row.before.tag,
            "from": plain(row.before.ratio),
            "to": None if row.reason else plain(row.after.ratio),
            "formula": row.after.formula,
            "reason": row.reason or None,
        }
        for row in rows
    ]
