"""What happens when a limit of the day is reached (`on_breach`): a word, a halt, or a halt and a flattened account.

Entries are refused at once, by whoever plans them (see limits.py). What is done here is not undone by the next look,
so it rests on two: the account is read again, and only what still holds then counts. A close moves unrealised PnL to
closed PnL, which two different reads show; between them a day may look lost that was won. A withdrawal is no drawdown:
what was paid in and out today is read before anything is done.
"""

from __future__ import annotations

from collections.abc import Iterable

from mirrorctl.core.domain.day_limits import Reached, reached, watched
from mirrorctl.core.domain.errors import MirrorctlError
from mirrorctl.core.domain.policy import OnBreach
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.flatten import flatten
from mirrorctl.core.engine.ports import ReadDay, ReadTransfers, ReadWallet
from mirrorctl.core.engine.records import Severity, StandingKind
from mirrorctl.core.engine.state import EngineState

_SURE_MS = 1_000
_LOOK_MS = 500
_WALLET_MS = 5_000  # the wallet topic tells of trades and transfers, not of prices (private/wallet)
_LOSS = "max_daily_loss"


class Halts:
    """The limits of the day of every account. A halt ends only by `resume`; the next day does not end it."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._since: dict[tuple[str, str], int] = {}
        self._looks: dict[str, tuple[tuple[object, ...] | None, int]] = {}
        self._due_ms = 0
        limits = {state.main.name: state.policy.main_limits}
        limits |= {mirror.name: mirror.limits for mirror in state.policy.mirrors}
        self._watched = [name for name, of_it in limits.items() if watched(of_it)]
        self._due = {name for name in limits if state.store.fact(_flatten_key(name))}
        self._running: set[str] = set()

    def tend(self, now_ms: int, *, acts: bool) -> None:
        """Read what the limits need and look whether one is reached; without `acts` nothing is said or done."""
        if self._watched and (self._state.stirred or self._since or now_ms >= self._due_ms):
            self._tend_all(now_ms, acts=acts)
        if acts and self._due:
            for name in sorted(self._due - self._running):
                if self._state.standings.halt(name) is None:  # the trader resumed before it began
                    self._drop(name)
                elif name in self._state.accounts and self._state.is_known(self._state.accounts[name]):
                    self._flatten(name)

    def _tend_all(self, now_ms: int, *, acts: bool) -> None:
        self._state.stirred.clear()
        self._due_ms = now_ms + _LOOK_MS
        for name in self._watched:
            account = self._state.accounts.get(name)
            if account is None:
                continue
            if self._is_due(account, now_ms):
                self._read(account, now_ms)
                if self._state.is_known(account):
                    self._state.day_book.look(account, self._state.day_start_ms(), now_ms)
                self._look(account, now_ms, acts=acts)
            self._due_ms = min(self._due_ms, self._looks[name][1])

    def _is_due(self, account: Account, now_ms: int) -> bool:
        """Whether something was read or told since the last look, a limit is reached, or it is long ago."""
        view, name = account.view, account.name
        known = (view.wallet, account.day, account.day_read_ms, account.equity_read_ms, account.relisted_ms)
        before, due_ms = self._looks.get(name, (None, 0))
        is_reached = bool(self._since) and any(about[0] == name for about in self._since)
        if known == before and now_ms < due_ms and not is_reached:
            return False
        self._looks[name] = (known, now_ms + _LOOK_MS)
        return True

    def _read(self, account: Account, now_ms: int) -> None:
        account.ask(ReadWallet(), now_ms, every_ms=_WALLET_MS)
        if self._state.limits_of(account).max_daily_loss is None:
            return
        stale = account.day_read_ms < self._state.day_book.counted_from_ms(account) <= now_ms
        every_ms = _SURE_MS if stale else self._state.relist_ms
        account.ask(ReadDay(self._state.day_start_ms()), now_ms, every_ms=every_ms)

    def _look(self, account: Account, now_ms: int, *, acts: bool) -> None:
        limits = self._state.limits_of(account)
        found = list(reached(limits, self._state.day_of(account)))
        gone = {key for key in self._since if key[0] == account.name} - {(account.name, each.limit) for each in found}
        for key in gone:
            del self._since[key]
        for each in found:
            if self._is_sure(account, each.limit, now_ms) and acts:
                self._act(account, each, limits.on_breach, now_ms)

    def _is_sure(self, account: Account, limit: str, now_ms: int) -> bool:
        """Whether everything was read again since the limit was first seen to be reached; asks for it."""
        key = (account.name, limit)
        again_ms = self._since.setdefault(key, now_ms) + _SURE_MS
        if now_ms < again_ms:
            return False
        state = self._state
        more: ReadDay | ReadTransfers = ReadTransfers(state.day_start_ms())
        read_ms = state.day_book.transfers_read_ms(account)
        if limit == _LOSS:
            more, read_ms = ReadDay(state.day_start_ms()), account.day_read_ms
        if read_ms < again_ms:
            account.ask(more, now_ms, every_ms=_SURE_MS)
        seen_ms = max(account.relisted_ms, account.equity_read_ms)
        if seen_ms < again_ms:
            account.ask(ReadWallet(), now_ms, every_ms=_SURE_MS)
        return min(seen_ms, read_ms) >= again_ms

    def _act(self, account: Account, found: Reached, on_breach: OnBreach, now_ms: int) -> None:
        state = self._state
        if on_breach is OnBreach.WARN:
            about = f"{found.limit}:{state.day_start_ms()}"  # once a day
            state.outbox.tell_lasting(now_ms, Severity.WARNING, "limit", account.name, "", found.text, about)
            return
        if state.standings.halt(account.name) is not None:
            return
        closes = on_breach is OnBreach.FLATTEN
        silent = closes and not account.is_main and not state.policy.mirroring
        with state.store.batch():
            if closes and not silent:
                state.store.set_fact(_flatten_key(account.name), found.text)
                self._due.add(account.name)
            state.standings.set(StandingKind.HALT, account.name, "", found.text, now_ms)
        then = "our orders are cancelled and our positions closed" if closes else "stops and reductions go on"
        then = "nothing is closed: mirroring is disabled" if silent else then
        text = f"{found.text}: no entries until `mirrorctl resume`; {then}"
        state.outbox.tell(now_ms, Severity.CRITICAL, "halt", account.name, "", text, f"{found.limit}:{now_ms}")
        for symbol in list(state.passes[account.name].plans) if account.name in state.passes else ():
            state.mark(account, symbol)

    def _flatten(self, name: str) -> None:
        """Flatten an account whose halt asks for it: once, and again only where a kill came between."""
        state = self._state
        self._running.add(name)

        def done(result: dict[str, object] | None, error: MirrorctlError | None) -> None:
            if error is None:  # else it stays due, and the next start tries again
                self._running.discard(name)
                self._drop(name)
            severity, text = _outcome(result, error)
            state.outbox.tell(state.now_ms(), severity, "halt", name, "", text, f"flatten:{state.now_ms()}")

        state.tasks.start(flatten(state, [name], lambda _event: None), done)

    def _drop(self, name: str) -> None:
        """Nothing is to be flattened any more."""
        self._due.discard(name)
        self._state.store.set_fact(_flatten_key(name), "")


def still_reached(state: EngineState, names: Iterable[str]) -> list[dict[str, str]]:
    """Of accounts whose halt was just ended: the limits that are reached all the same, and halt them again."""
    accounts = [state.accounts[name] for name in names if name in state.accounts]
    return [
        {"account": account.name, "reason": found.text}
        for account in accounts
        for found in reached(state.limits_of(account), state.day_of(account))
    ]


def _outcome(result: dict[str, object] | None, error: MirrorctlError | None) -> tuple[Severity, str]:
    """What came of flattening, in words (A72)."""
    rows = result["accounts"] if result is not None else None
    if error is not None or not isinstance(rows, list) or not rows:
        return Severity.CRITICAL, f"PARTIAL: flattening failed: {error.message if error is not None else 'no result'}"
    [row] = rows
    if row["error"]:
        return Severity.CRITICAL, f"PARTIAL: what is left is unknown: {row['error']}"
    if row["remains"]:
        return Severity.CRITICAL, f"PARTIAL: remains {', '.join(row['remains'])}; `mirrorctl flatten` tries again"
    return Severity.INFO, "flattened: nothing of ours is left"


def _flatten_key(name: str) -> str:
    """The store's fact that says an account is to be flattened: it survives a kill."""
    return f"flatten.{name}"
