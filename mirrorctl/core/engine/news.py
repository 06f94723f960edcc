"""From when on people are told of an account's events, and which of them come late (A46)."""

from __future__ import annotations

from mirrorctl.core.domain.ids import LinkId, parse
from mirrorctl.core.engine.accounts import DAY_MS, Account
from mirrorctl.core.engine.state import EngineState

_WEEK_MS = 7 * DAY_MS  # as far back as executions are read at all


class News:
    """One line in time for each account, durable in the store: what lies before it is the past, and never told.

    On a fresh store it is the newest execution of the first relist. Times are the exchange's, in ms.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._born_ms = state.now_ms()
        self._since: dict[str, int] = {}

    def begin(self, account: Account, newest_ms: int) -> None:
        """A whole relist was read, with executions of the past up to `newest_ms`: what comes now is news."""
        if self._since_ms(account) is None:
            self._state.store.set_fact(_fact(account), str(newest_ms))
            self._since[account.name] = newest_ms

    def is_known(self, account: Account) -> bool:
        """Whether past and news of the account can be told apart yet."""
        return self._since_ms(account) is not None

    def is_news(self, account: Account, time_ms: int) -> bool:
        """Whether something of that time is to be told, if it was not told before."""
        since = self._since_ms(account)
        return since is not None and time_ms > max(since, self._state.exchange_now_ms() - _WEEK_MS)

    def is_late(self, account: Account, time_ms: int) -> bool:
        """Whether it happened before this engine watched."""
        return time_ms < self._born_ms + (account.clock_offset_ms or 0)

    def _since_ms(self, account: Account) -> int | None:
        if account.name not in self._since:
            store = self._state.store
            found = store.fact(_fact(account))
            if not found:
                found = store.fact(f"executions.{account.name}")  # a store from before people were told of fills
                if not found:
                    return None
                store.set_fact(_fact(account), found)
            self._since[account.name] = int(found)
        return self._since[account.name]


def _fact(account: Account) -> str:
    return f"told.{account.name}"


def own_link(account: Account, link_id: str) -> LinkId | None:
    """A link id of ours for this account, taken apart; None for every other order."""
    link = parse(link_id)
    return link if link is not None and link.account == account.tag else None
