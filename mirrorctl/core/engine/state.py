"""What the engine holds: accounts, books and caches, shared by the intake of events and the decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.approach import CONSERVATIVE
from mirrorctl.core.domain.day_limits import Day
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.lens import lens_of
from mirrorctl.core.domain.policy import MAIN, Limits, Policy
from mirrorctl.core.domain.values import Freshness
from mirrorctl.core.engine.accounts import DAY_MS, Account
from mirrorctl.core.engine.agenda import Agenda
from mirrorctl.core.engine.brake import Brake
from mirrorctl.core.engine.day_book import DayBook
from mirrorctl.core.engine.entry_fees import EntryFees
from mirrorctl.core.engine.guarded_store import GuardedStore
from mirrorctl.core.engine.hold_times import HoldMeter
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.main_book import MainBook
from mirrorctl.core.engine.main_pass import MainPass
from mirrorctl.core.engine.main_sizes import MainSizes
from mirrorctl.core.engine.measure import CopyMeter
from mirrorctl.core.engine.naked import NakedMeter
from mirrorctl.core.engine.outbox import Outbox
from mirrorctl.core.engine.ports import Clock, FiguresAnswer
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.records import StoreFile
from mirrorctl.core.engine.standings import Standings
from mirrorctl.core.engine.tasks import Tasks
from mirrorctl.core.engine.trades import TradeBook

READ_RETRY_MS = 1_000
_TAKEN = "main.taken"
OVERLAP_MS = 60_000


class EngineState:
    """All state of one profile at run time. Every method is called on the engine's thread.

    `now_ms` is the local clock. `own_approaches` by mirror: of those that do not keep main's ladder. `marked`: symbols
    of main that every mirror looks at in the next round. `stirred`: accounts whose wallet or day may be another.

    `absent` holds mirrors whose keys could not be read since the start, with why. `attributing` holds, per account and
    symbol, the row seq whose fill is being looked for and the orders still to read.
    """

    def __init__(self, policy: Policy, accounts: Sequence[Account], file: StoreFile, clock: Clock) -> None:
        self.policy = policy
        store = self.store = GuardedStore(file)
        self.accounts = {account.name: account for account in accounts}
        self.main = self.accounts[MAIN]
        self.book = IntentBook(store)
        lenses = {mirror.name: lens_of(mirror) for mirror in policy.mirrors}
        self._mapped = {name: lens for name, lens in lenses.items() if lens.map}
        self.keeper = Keeper(store, self.main.uid, lenses, self.accounts)
        self.trades = TradeBook(store)
        self.main_book = MainBook(self.main.view)
        self.main_taken = bool(store.fact(_TAKEN))
        self.standings = Standings(store)
        self.brake = Brake(self.trades)
        self.outbox = Outbox(store)
        self.meter = CopyMeter(store)
        self.entry_fees = EntryFees()
        self.main_sizes = MainSizes(self.main, self.entry_fees)
        self.naked = NakedMeter(store)
        self.holds = HoldMeter(store)
        self.day_book = DayBook(store)
        self.tasks = Tasks()
        self.own_approaches = {
            mirror.name: own for mirror in policy.mirrors if (own := policy.approach_of(mirror.name)) is not None
        }
        self.absent: dict[str, str] = {}
        self.instruments: dict[str, Instrument] = {}
        self.tickers: dict[str, Ticker] = {}
        self.figures: dict[str, FiguresAnswer] = {}
        self.passes: dict[str, MirrorPass] = {}
        usual = policy.approaches.get(CONSERVATIVE.name, CONSERVATIVE)
        self.main_pass = MainPass(self.main, self.trades, self.keeper, self.book, self.brake, usual)
        self.attributing: dict[tuple[str, str], tuple[int, set[str]]] = {}
        self.relist_ms = int(policy.relist_s * 1000)
        self.agenda = Agenda()
        self.dirty: dict[str, set[str]] = {}
        self.dirty_main: set[str] = set()
        self.doubted: set[tuple[str, str]] = set()
        self.stale_cycles: set[str] = set()
        self.marked: set[str] = set()
        self.stirred: set[str] = set()
        self.to_prove = {symbol for symbol, _ in self.keeper.cycles}
        self.now_ms: Callable[[], int] = clock.now_ms

    def mark_main_taken(self) -> None:
        """Main's positions were looked through once with this store: what our own entries opened is managed again."""
        self.store.set_fact(_TAKEN, str(self.now_ms()))
        self.main_taken = True

    def exchange_now_ms(self) -> int:
        """The exchange's clock, as far as main's offset is known."""
        return self.now_ms() + (self.main.clock_offset_ms or 0)

    def known_until_ms(self, account: Account) -> int:
        """Up to when executions of an account were read and taken for good, exchange clock; 0 with a new store."""
        cursor = self.store.fact(f"executions.{account.name}")
        return int(cursor) - OVERLAP_MS if cursor else 0

    def day_start_ms(self) -> int:
        """00:00 UTC of today, exchange clock."""
        return self.exchange_now_ms() // DAY_MS * DAY_MS

    def limits_of(self, account: Account) -> Limits:
        """The limits that the profile sets an account."""
        return self.policy.main_limits if account.is_main else self.passes[account.name].policy.limits

    def day_of(self, account: Account, now_ms: int | None = None) -> Day:
        """What is known of an account's day, for its limits; `now_ms` where it was asked for already."""
        now = self.now_ms() if now_ms is None else now_ms
        start_ms = (now + (self.main.clock_offset_ms or 0)) // DAY_MS * DAY_MS
        known = account.freshness(now, self.relist_ms) is Freshness.FRESH
        return self.day_book.of(account, start_ms, now, known=known)

    def freshness(self, account: Account) -> Freshness:
        return account.freshness(self.now_ms(), self.relist_ms)

    def is_known(self, account: Account) -> bool:
        """Whether decisions may rest on this account's view (A86)."""
        return account.freshness(self.now_ms(), self.relist_ms) is Freshness.FRESH

    def mark(self, account: Account, symbol: str) -> None:
        """Something about the symbol changed: decide again. On main for every mirror."""
        if account.is_main:
            self.mark_everywhere(symbol)
        elif account.name in self.dirty:
            self.dirty[account.name].add(symbol)

    def mark_main(self, symbol: str) -> None:
        """Something about main's symbol changed that its mirrors do not go by: decide again on main, cycles first."""
        self.stale_cycles.add(symbol)
        self.dirty_main.add(symbol)

    def mark_everywhere(self, symbol: str) -> None:
        """Decide again about the symbol on main and every mirror, cycles first."""
        self.stale_cycles.add(symbol)
        self.dirty_main.add(symbol)
        self.marked.add(symbol)
        for name, dirty in self.dirty.items():
            lens = self._mapped.get(name)
            dirty.add(symbol if lens is None else lens.symbol_here(symbol))

    def mark_rules(self, symbol: str) -> None:
        """A price or the rules of a symbol were read: decide again wherever it is traded under this name."""
        self.mark_everywhere(symbol)
        for dirty in self.dirty.values():
            dirty.add(symbol)
