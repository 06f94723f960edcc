"""How the exchange can be reached, as lines of `status`: breakers that are not closed, and rate limits that bite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.text import Text

Document = Mapping[str, Any]

_WAITING = {
    "open": "nothing goes but stops, reductions and cancels, one every 2 s",
    "half-open": "one call is out to find out",
}


def reach(document: Document) -> Iterator[Text]:
    """One line when all is well, and one for each thing that is not. Nothing where no daemon knows."""
    address = document.get("address")
    if address is None:
        return
    used = address["limit"] - address["left"]
    by_socket = any(account.get("order_entry") == "ws" for account in document["accounts"])
    entry = "; orders over WebSocket" if by_socket else ""
    yield Text(f"requests: {used} of {address['limit']} in {address['window_s']:g} s, all accounts together{entry}")
    if address["silent_s"]:
        minutes = f"{address['silent_s'] / 60:.1f}"
        yield Text(f"blocked: the exchange refuses this IP address (HTTP 403); silent for {minutes} min more", "red")
    for account in document["accounts"]:
        yield from _breaker(account)
        if account.get("entry_trouble"):
            yield Text(f"orders: {account['account']} over HTTP, no trade socket: {account['entry_trouble']}", "yellow")
        yield from _budgets(account["account"], account.get("budget") or ())
    if address["wait_s"]:
        yield Text(f"rate limit: entries and lists of every account wait {address['wait_s']:g} s", "yellow")


def _breaker(account: Document) -> Iterator[Text]:
    state = account["breaker"]
    if state not in _WAITING:
        return
    wait_s = account.get("next_try_s")
    again = f", next try in {wait_s:g} s" if wait_s and state == "open" else ""
    yield Text(f"breaker: {account['account']} {state}{again}; {_WAITING[state]}", "red")


def _budgets(account: str, rows: Iterable[Document]) -> Iterator[Text]:
    for row in rows:
        if row["wait_s"]:
            left = f"{row['left']} of {row['limit']} left this second"
            said = f"entries wait {row['wait_s']:g} s" if row["group"].startswith("order/") else "what can wait does"
            yield Text(f"rate limit: {account} {row['group']}: {left}; {said}", "yellow")
