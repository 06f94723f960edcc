"""Mirrors that the profile disables: never touched, but what they hold is still named (contract, `enabled`)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mirrorctl.commands.session import Session
from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.errors import MirrorctlError
from mirrorctl.core.domain.instruments import plain

_READ_S = 2.0

Document = dict[str, Any]


def with_holdings(session: Session, rows: Sequence[Document]) -> list[Document]:
    """The account rows of `status`; disabled ones with `holds`, read now. Null where it cannot be read, with why."""
    names = [row["account"] for row in rows if row["state"] == "disabled"]
    if not names:
        return [*rows]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        found = dict(zip(names, pool.map(lambda name: _read(session, name), names), strict=True))
    return [{**row, **found.get(row["account"], {})} for row in rows]


def _read(session: Session, name: str) -> Document:
    from mirrorctl.bootstrap.accounts import clients

    try:
        rest = clients(session.profile, session.home, names=[name], timeout_s=_READ_S, disabled=True)[name]
        try:
            held = rest.positions()
        finally:
            rest.close()
    except MirrorctlError as error:
        return {"holds": None, "holds_error": error.message.removeprefix(f"{name}: ")}
    return {"holds": [_held(row) for row in held if row.size], "holds_error": None}


def _held(row: Position) -> Document:
    return {"symbol": row.symbol, "side": row.side, "qty": plain(row.size)}
