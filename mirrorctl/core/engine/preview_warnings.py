"""What a trader should know of a mirror before the first order of a trade goes out, in short (see copyability)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.copyability import leverage_notes, rounding_note, rounding_pct
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.policy import MirrorPolicy


def mirror_warnings(
    policy: MirrorPolicy,
    rules: Instrument,
    row: Mapping[str, Any],
    copy: Copy,
    main_after: Decimal,
    main_leverage: Decimal | None,
    *,
    partly: bool = False,
) -> list[str]:
    """Warnings of one mirror's row of the preview: what is too small, what rounding costs, which leverage it gets.

    `main_after` is what main will hold, `main_leverage` the leverage that it trades with. `partly`: some entries
    will not fill, so what it lacks is no rounding.
    """
    rounded = () if partly else _rounded(row, copy, main_after)
    return [*_too_small(row), *rounded, *_levered(policy, rules, row, main_leverage)]


def _too_small(row: Mapping[str, Any]) -> Iterator[str]:
    if (row["held"] or "").startswith("below minimum"):
        yield f"{row['held']}, nothing is copied"
        return
    small = [
        str(place) for place, entry in enumerate(row["entries"], 1) if not Decimal(entry["qty"]) and not entry["held"]
    ]
    if small:
        yield f"{_named('entry', 'entries', small)} too small for an order here"
    joined = [target for target in row["targets"] if target["joined"]]
    if joined:
        legs = [str(target["leg"]) for target in joined]
        into = sorted({str(target["joined"]) for target in joined})
        yield f"{_named('target', 'targets', legs)} too small for an order here: joined with target {', '.join(into)}"


def _rounded(row: Mapping[str, Any], copy: Copy, main_after: Decimal) -> Iterator[str]:
    if row["held"] or copy.cap is not None:
        return
    percent = rounding_pct(copy.raw_want(main_after), Decimal(row["qty_after"]))
    yield from (note.text for note in rounding_note(percent))


def _levered(
    policy: MirrorPolicy, rules: Instrument, row: Mapping[str, Any], main_leverage: Decimal | None
) -> Iterator[str]:
    if not row["held"]:
        yield from (note.text for note in leverage_notes(policy, rules, main_leverage))


def _named(one: str, many: str, numbers: list[str]) -> str:
    return f"{one} {numbers[0]} is" if len(numbers) == 1 else f"{many} {', '.join(numbers)} are"
