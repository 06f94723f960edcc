"""Safety rules taken out of the code, one at a time, as small replacements of its text.

Each `old` stands exactly once in its file; tests/unit/test_mutations.py says so whenever the code changes. A mutation
breaks the rule and nothing else: it leaves a program that runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ENGINE, DOMAIN = "mirrorctl/core/engine", "mirrorctl/core/domain"


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in one file."""

    path: str
    old: str
    new: str

    def applied(self, root: Path) -> str:
        """The file's text with the replacement; ValueError where `old` does not stand there exactly once."""
        text = (root / self.path).read_text()
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.path}: found {found} times: {self.old.splitlines()[0].strip()}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule taken out. `what` says which, in words."""

    name: str
    what: str
    edits: tuple[Edit, ...]


def _one(name: str, what: str, path: str, old: str, new: str, *more: Edit) -> Mutation:
    return Mutation(name, what, (Edit(path, old, new), *more))


_IMPORT_REPLACE = Edit(
    f"{ENGINE}/intake.py",
    "from collections.abc import Sequence\n",
    "from collections.abc import Sequence\nfrom dataclasses import replace\n",
)

_IMPORT_CANCEL = Edit(
    f"{DOMAIN}/planner.py",
    "from mirrorctl.core.domain.actions import Priority\n",
    "from mirrorctl.core.domain.actions import CancelOrder, Priority\n"
    "from mirrorctl.core.domain.scene import Planned\n",
)

_STOP_STANDS = (
    "if wanted is None or (wanted == row.stop_loss and (stop_by is None or _triggers_by(scene, row, stop_by))):"
)

NAMED = (
    Mutation(
        "journal",
        "remove the journal write",
        (
            Edit(
                f"{ENGINE}/intents.py",
                "(record(it.action, now_ms, it.main_order_id, it.main_filled), it) for it in planned",
                "(-(now_ms << 8) - n, it) for n, it in enumerate(planned)",
            ),
            Edit(
                f"{ENGINE}/guarded_store.py",
                "if intent.intent_id not in self._lost:",
                "if intent.intent_id > 0:",
            ),
        ),
    ),
    _one(
        "new-id",
        "mint a new id on retry: what was sent and not answered counts as not placed",
        f"{ENGINE}/intents.py",
        "state=IntentState.DOUBT, message=outcome.reason)",
        "state=IntentState.ABSENT, message=outcome.reason)",
    ),
    Mutation(
        "failed-read",
        "treat a failed read as flat",
        (
            _IMPORT_REPLACE,
            Edit(
                f"{ENGINE}/intake.py",
                """        account.read_errors[query] = answer.message
""",
                """        account.read_errors[query] = answer.message
        if isinstance(query, Relist | ReadPosition):
            for row in list(account.view.positions()):
                gone = replace(row, side=None, size=row.size * 0, seq=row.seq + 1)
                account.view.apply_position(gone, self._state.now_ms())
                self._state.mark(account, row.symbol)
""",
            ),
        ),
    ),
    _one(
        "reduce-only",
        "drop the reduce-only flag of a reduction",
        f"{DOMAIN}/corrections.py",
        """                time_in_force=TimeInForce.IOC,
                reduce_only=True,
""",
        """                time_in_force=TimeInForce.IOC,
                reduce_only=False,
""",
    ),
    Mutation(
        "relist",
        "skip the relist after a reconnect and on the timer",
        (
            Edit(
                f"{ENGINE}/stream_changes.py",
                """    account.relist_due_ms = now
    account.asked =""",
                """    account.relist_due_ms = now if not account.relisted_ms else now + 10**9
    account.relisted_ms = now if account.relisted_ms else 0
    account.asked =""",
            ),
            Edit(
                f"{ENGINE}/intake.py",
                "now + (self._state.relist_ms if account.stream_up else BLIND_RELIST_MS)",
                "now + 10**9",
            ),
            Edit(
                f"{ENGINE}/accounts.py",
                "and age <= max(3 * relist_ms, 60_000)",
                "and age < 10**9 + relist_ms",
            ),
        ),
    ),
    _one(
        "buy-back",
        "buy back what the mirror's own orders sold",
        f"{DOMAIN}/cycle.py",
        """        if not out and left >= shall:
            return self
""",
        """        if left >= shall or left < shall:
            return self
""",
    ),
    Mutation(
        "pending-twice",
        "count a pending execution twice: beside the position row that holds it already",
        (
            Edit(
                f"{DOMAIN}/view.py",
                "if each.seq <= row.seq and self._leg(each) == row.idx]:",
                "if each.seq < row.seq and self._leg(each) == row.idx]:",
            ),
            Edit(
                f"{DOMAIN}/view.py",
                "if row is None or execution.seq > row.seq:",
                "if row is None or execution.seq >= row.seq:",
            ),
        ),
    ),
    _one(
        "beside-twin",
        "correct beside a live twin",
        f"{DOMAIN}/corrections.py",
        "qty = min(scene.instrument.floor_qty(want - have - lag), scene.instrument.max_limit_qty)",
        "qty = min(scene.instrument.floor_qty(want - have), scene.instrument.max_limit_qty)",
    ),
)
"""What the project's issue names."""

FURTHER = (
    Mutation(
        "chance-ids",
        "make link ids anew each time instead of from what they stand for",
        (
            Edit(
                f"{DOMAIN}/scene.py",
                "from mirrorctl.core.domain.ids import LinkId, Role\n",
                "from mirrorctl.core.domain.ids import LinkId, Role, step_tag\n",
            ),
            Edit(
                f"{DOMAIN}/scene.py",
                "first = LinkId(self.tag, copy.tag, role, leg, step, 0)\n        earlier",
                "first = LinkId(self.tag, copy.tag, role, leg, step_tag(step, str(self.now_ms)), 0)\n        earlier",
            ),
        ),
    ),
    Mutation(
        "early-absent",
        "give an order up as never placed after the first look in vain",
        (
            Edit(f"{ENGINE}/looks.py", "_ABSENT_READS = 3", "_ABSENT_READS = 1"),
            Edit(f"{ENGINE}/looks.py", "_ABSENT_AFTER_MS = RECV_WINDOW_MS + 3_000", "_ABSENT_AFTER_MS = 0"),
        ),
    ),
    Mutation(
        "missing-is-flat",
        "treat a symbol that a list does not name as flat",
        (
            _IMPORT_REPLACE,
            Edit(
                f"{ENGINE}/intake.py",
                """        for symbol in symbols:
            account.ask(ReadPosition(symbol), now)
""",
                """        for row in [row for row in account.view.positions() if row.symbol in symbols]:
            account.view.apply_position(replace(row, side=None, size=row.size * 0, seq=row.seq + 1), now)
""",
            ),
        ),
    ),
    _one(
        "unknown-main",
        "decide while main is unknown",
        f"{ENGINE}/engine.py",
        "if self.main.freshness(now, self.relist_ms) is Freshness.FRESH:",
        "if self.main.relisted_ms:",
    ),
    _one(
        "unsettled",
        "decide while a fill is not accounted for",
        f"{DOMAIN}/planner.py",
        "if not (main.is_settled(symbol) and mirror.is_settled(symbol)):",
        "if scene.now_ms < 0:",
    ),
    _one(
        "ahead",
        "decide while a position is ahead of its executions",
        f"{DOMAIN}/planner.py",
        "    if not ahead:\n        return False\n",
        "    if ahead or not ahead:\n        return False\n",
    ),
    _one(
        "loss",
        "grow although the position shrank and nobody knows by whose order",
        f"{DOMAIN}/growth.py",
        "if scene.mirror.unexplained_loss(scene.symbol, side):",
        "if scene.now_ms < 0:",
    ),
    _one(
        "lead",
        "reduce at once what a twin filled before its order",
        f"{DOMAIN}/corrections.py",
        """    if have > want + twins.lead + exit_lag:
        _reduce(scene, plan, side, copy, have, want, twins.lead + exit_lag)""",
        """    if have > want:
        _reduce(scene, plan, side, copy, have, want, ZERO)""",
    ),
    _one(
        "overshoot",
        "reduce by all that is held",
        f"{DOMAIN}/corrections.py",
        "qty = scene.instrument.floor_qty(have - want - lead)",
        "qty = scene.instrument.floor_qty(have)",
    ),
    _one(
        "flip",
        "open the other side before the first is closed",
        f"{DOMAIN}/corrections.py",
        "scene.mode is PositionMode.ONE_WAY and scene.have[side.opposite]:",
        "scene.now_ms < 0:",
    ),
    _one(
        "one-at-a-time",
        "send a correction beside another one",
        f"{DOMAIN}/corrections.py",
        "if scene.ours.live and any(_is_in_the_way(scene, side, order) for order in scene.ours.live):",
        "if scene.now_ms < 0:",
    ),
    _one(
        "order-of-work",
        "send stops after entries",
        f"{ENGINE}/departures.py",
        "planned.sort(key=lambda item: item.action.priority)",
        "planned.sort(key=lambda item: -item.action.priority)",
    ),
    _one(
        "attached-stop",
        "send entries without main's stop",
        f"{DOMAIN}/corrections.py",
        "                stop_loss=stop,\n",
        "                stop_loss=None,\n",
    ),
    _one(
        "no-stop",
        "never set a mirror's stop",
        f"{DOMAIN}/protection.py",
        _STOP_STANDS,
        "if wanted is None or scene.now_ms > 0:",
    ),
    _one(
        "foreign-order",
        "clean up what other hands have resting",
        f"{DOMAIN}/planner.py",
        """    \"\"\"Entries of ours on a side that follows no cycle of main any more.\"\"\"
""",
        """    for order in scene.mirror.orders(scene.symbol):
        if not order.link_id.startswith("m1-") and not order.stop_kind.position_bound:
            change = CancelOrder(scene.account, scene.symbol, order.order_id, order.link_id, "not ours")
            plan.actions.append(Planned(change))
""",
        _IMPORT_CANCEL,
    ),
    _one(
        "seen-twice",
        "take an execution that is told twice for two",
        f"{DOMAIN}/view.py",
        """        if execution.exec_id in self._seen:
            return False
        self._remember_seen(execution.exec_id)
        symbol""",
        """        self._remember_seen(execution.exec_id)
        symbol""",
    ),
    _one(
        "older-row",
        "let an older position row overwrite a newer one",
        f"{DOMAIN}/view.py",
        "if known is not None and row.moment < known.moment:",
        "if known is not None and row.seq < 0:",
    ),
    _one(
        "older-order",
        "let an older order row overwrite a newer one",
        f"{DOMAIN}/view.py",
        "if known is not None and (_rank(order) < _rank(known) or known == order):",
        "if known is not None and known == order:",
    ),
    _one(
        "funding",
        "count a funding row as a trade",
        f"{DOMAIN}/values.py",
        'self.moves_position = value in ("trade", "liquidation", "adl")',
        'self.moves_position = value != "other"',
    ),
    _one(
        "quiet",
        "set a stop that stands already",
        f"{DOMAIN}/protection.py",
        _STOP_STANDS,
        "if wanted is None or (wanted == row.stop_loss and scene.now_ms % 7):",
    ),
)
"""Further rules, each of which keeps money from being lost."""

MUTATIONS = NAMED + FURTHER
