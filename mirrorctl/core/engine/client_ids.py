"""`--client-id`: the same request opens one trade however often it is asked for.

The id is written down in the transaction that journals the trade's entries. So an id that is known has its entries in
the journal, and the same request is answered with what became of them; only where the exchange took none of them, for
they were refused or never got there, is it carried out again.
"""

from __future__ import annotations

from mirrorctl.core.domain.errors import Refused
from mirrorctl.core.domain.ids import LinkId, parse
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.engine.trade_request import OpenRequest

_TOOK_NOTHING = (IntentState.REJECTED, IntentState.ABSENT)


def note_client_id(engine: Engine, request: OpenRequest, link_id: str) -> None:
    """Write down that a client id stands for this request, whose first entry has this link id."""
    if request.client_id:
        engine.store.set_fact(_key(request), f"{request}\n{link_id}", engine.now_ms())


def said_before(engine: Engine, request: OpenRequest) -> dict[str, object] | None:
    """What stands for a client id that was used before; None when there is something to do.

    Raises Refused where it stands for another request.
    """
    known = engine.store.fact(_key(request)) if request.client_id else None
    if not known:
        return None
    described, _, link_id = known.partition("\n")
    if described != str(request):
        raise Refused(
            f"client id {request.client_id!r} stands for another trade: {described}",
            "every trade needs an id of its own; nothing was sent",
        )
    entries = _entries(engine, request, link_id)
    if entries and all(entry.state in _TOOK_NOTHING and not entry.filled for entry in entries):
        return None
    order = engine.main.view.by_link(link_id)
    state = order.status.value if order is not None else "not on the book any more"
    if any(entry.state is IntentState.DOUBT for entry in entries):
        state = "in doubt"
    return {"already": link_id, "state": state, "placed": "0", "symbol": request.symbol, "mirrors": []}


def free_link(engine: Engine, link: LinkId) -> LinkId:
    """The link id of the next attempt at an entry: a higher one where an earlier attempt is known to be over."""
    while engine.book.by_link(engine.main.name, str(link)) is not None:
        link = link.next_attempt()
    return link


def _entries(engine: Engine, request: OpenRequest, link_id: str) -> list[Intent]:
    """Every entry of the request that the journal knows."""
    first = parse(link_id)
    if first is None:
        return []
    found = []
    for intent in engine.book.of_symbol(engine.main.name, request.symbol):
        link = parse(getattr(intent.action, "link_id", ""))
        if link is not None and (link.trade, link.role, link.step) == (first.trade, first.role, first.step):
            found.append(intent)
    return found


def _key(request: OpenRequest) -> str:
    return f"client.{request.client_id}"
