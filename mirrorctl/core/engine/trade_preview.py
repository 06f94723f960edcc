"""What a trade would come to on every account once all its entries have filled: the preview of `trade open`.

Decimals as text, None for what is unknown (contract, JSON). Losses and rewards are of prices alone, without fees.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.approach import MARKET
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.growth import NO_LEVERAGE, WALLET_UNKNOWN, is_broke, within_limit
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ladder import Ladder, RungOrder, spread, stored_ladder, without
from mirrorctl.core.domain.own_approach import approach_block
from mirrorctl.core.domain.policy import BelowMinimum
from mirrorctl.core.domain.selection import selection_block
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.preview_limits import Taken, limit_warnings, rate_warning, taken
from mirrorctl.core.engine.preview_warnings import mirror_warnings
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.trade_own import own_stop, own_terms
from mirrorctl.core.engine.trade_plan import Entry, OpenPlan
from mirrorctl.core.engine.trade_seen import plan_seen, reverse_target, seen_block, terms_of
from mirrorctl.core.engine.trade_sizing import planned_copy
from mirrorctl.core.engine.trade_state import rungs_filled

Row = dict[str, Any]

_CENT = Decimal("0.01")
_SHOWN = Decimal("0.00000001")


def preview_open(engine: Engine, plan: OpenPlan) -> list[Row]:
    """A row for main and for every mirror of the profile that is in use."""
    rows = [_main_row(engine, plan)]
    rows += [_mirror_row(engine, plan, mirror) for mirror in engine.passes.values()]
    return rows + [_unknown(name, error) for name, error in engine.absent.items()]


def held_rows(rows: Sequence[Row]) -> list[Row]:
    """What the mirrors will hold back of it, as every plan tells it: `want` is what they will hold."""
    held = ((row, row["held"] or _first_held(row["entries"] or ())) for row in rows)
    names = ("account", "symbol", "raw_want")
    return [
        {name: row[name] for name in names} | {"want": row["qty_after"], "reason": reason}
        for row, reason in held
        if reason
    ]


def _first_held(entries: Sequence[Row]) -> str | None:
    return next((entry["held"] for entry in entries if entry["held"]), None)


def _main_row(engine: Engine, plan: OpenPlan) -> Row:
    main = engine.main
    asked = plan.leverage.leverage if plan.leverage is not None else None
    size = main.view.size(*plan.key)
    entries = [_entry(entry, Taken(order.qty)) for entry, order in zip(plan.entries, plan.orders, strict=True)]
    leverage = asked or main.view.leverage.get(plan.trade.symbol)
    done = engine.keeper.rungs_done(*plan.key)
    return _row(engine, main, plan, entries, plan.qty, size, leverage, done)


def _mirror_row(engine: Engine, plan: OpenPlan, mirror: MirrorPass) -> Row:
    account = mirror.mirror
    if not engine.is_known(account):
        return _unknown(account.name, account.error or "not read yet")
    seen = plan_seen(engine, plan, mirror)
    if seen is None:
        return _unknown(account.name, "the trading rules of its symbol are not read yet")
    copy = planned_copy(engine, plan, mirror)
    seen = own_terms(engine, seen, mirror, copy)
    block = seen_block(engine, plan, mirror) or _block(engine, mirror, copy, seen)
    size, main_size = account.view.size(*seen.key), mirror.sight.grown(*seen.key, plan.qty) - seen.qty
    after = copy.after_main(main_size + seen.qty).want(main_size + seen.qty, seen.instrument)
    qty = max(after - size, ZERO) if not block else ZERO
    raised = ""
    if not block and not seen.instrument.meets_minimum(qty, seen.entries[0].price):
        asked, least = qty or (copy.ratio * seen.qty).quantize(_SHOWN), _raised(seen, mirror, copy)
        raised = f"raised to the minimum: {plain(asked)} → {plain(least)}" if least else ""
        capped = not qty and copy.cap is not None and not copy.skipped
        small = "its own exit capped what it holds" if capped else f"below minimum: {plain(asked)}"
        block, qty = "" if least else small, least
    main = plan.leverage.leverage if plan.leverage is not None else engine.main.view.leverage.get(plan.trade.symbol)
    wanted = None if main is None else main * mirror.policy.sizing.leverage_factor
    leverage = None if wanted is None else within_limit(mirror.policy, wanted, seen.instrument)
    wants = [qty, *(ZERO for _ in seen.entries[1:])] if raised else _twins(seen, copy, main_size, size)
    found = [] if block else taken(engine, seen, mirror, wants, leverage)
    if (refused := [each.refusal for each in found if each.refusal]) and not any(each.qty for each in found):
        block, found, qty = refused[0], [], ZERO
    entries = [_entry(entry, each) for entry, each in zip(seen.entries, found, strict=bool(found))]
    filled, qty = _filled(seen, mirror, copy, found, qty)
    told = {
        "held": block or None,
        "sizing": copy.formula or None,
        "terms": terms_of(plan, seen, mirror, filled.trade.stop),
    }
    resting = sum((each.qty for each in found), ZERO) > qty
    ordered = sum((Decimal(entry["notional"]) for entry in entries), ZERO) if resting else None
    target = reverse_target(plan, seen, mirror)
    row = _row(engine, account, filled, entries, qty, size, leverage, copy.done, target, ordered)
    raw = None if copy.unsized else copy.after_main(main_size + seen.qty).raw_want(main_size + seen.qty)
    row |= told | {"raw_want": None if raw is None else plain(raw.quantize(_SHOWN))}
    warnings = [*limit_warnings(found), *_unreached(seen, filled, found)]
    warnings += [raised] if raised else []
    rate = rate_warning(engine, mirror, sum(bool(each.qty) for each in found))
    partly = bool(warnings)
    warnings += mirror_warnings(mirror.policy, seen.instrument, row, copy, main_size + seen.qty, main, partly=partly)
    return row | {"warnings": warnings if rate is None else [*warnings, rate]}


def _raised(seen: OpenPlan, mirror: MirrorPass, copy: Copy) -> Decimal:
    """What an entry under the minimum is raised to, once in a cycle (A9); zero where the policy raises none."""
    raises = mirror.policy.sizing.below_minimum is BelowMinimum.ROUND_UP and not copy.raised and copy.cap is None
    return seen.instrument.minimum(seen.entries[0].price) if raises else ZERO


def _filled(
    seen: OpenPlan, mirror: MirrorPass, copy: Copy, found: Sequence[Taken], qty: Decimal
) -> tuple[OpenPlan, Decimal]:
    """The plan with the mirror's stop and the entries that will fill there, and the quantity of those."""
    quantities = [each.qty for each in found] or [ZERO] * len(seen.entries)
    stop, reached = own_stop(seen, mirror, copy, quantities)
    trade = replace(seen.trade, stop=stop)
    left = [place for place, each in enumerate(found) if each.refusal or place not in reached]
    if not left:
        return replace(seen, trade=trade), qty
    stay = [place for place in sorted(reached) if quantities[place]]
    entries = tuple(seen.entries[place] for place in stay) or seen.entries
    return replace(seen, trade=trade, entries=entries), sum((quantities[p] for p in stay), ZERO)


def _unreached(seen: OpenPlan, filled: OpenPlan, found: Sequence[Taken]) -> list[str]:
    """Entries that the mirror's own stop comes before."""
    stop, side = filled.trade.stop, filled.trade.side
    if stop is None or stop == seen.trade.stop:
        return []
    passed = [
        str(place)
        for place, (entry, each) in enumerate(zip(seen.entries, found, strict=bool(found)), 1)
        if each.qty and (entry.price - stop) * side.sign <= 0
    ]
    what = f"entry {passed[0]}" if len(passed) == 1 else f"entries {', '.join(passed)}"
    return [f"its own stop {plain(stop)} comes before {what}"] if passed else []


def _block(engine: Engine, mirror: MirrorPass, copy: Copy, seen: OpenPlan) -> str:
    """Why a mirror would not follow, whatever the size; "" when it would."""
    account, symbol = mirror.mirror, seen.trade.symbol
    if not engine.policy.mirroring:
        return "mirroring is disabled (ENABLE_MIRROR_TRADING)"
    if copy.out:
        return f"own exit: {copy.out}"
    unchosen = selection_block(mirror.policy.filter, *copy.source, engine.exchange_now_ms())
    held = copy.held or unchosen or copy.unsized or approach_block(copy, engine.policy.approach_of(account.name))
    held = held or engine.growth_block(mirror, symbol) or account.growth_held(engine.now_ms())
    if held:
        return held
    if account.view.wallet is None:
        return WALLET_UNKNOWN
    if is_broke(account.view):
        return "the wallet is empty"
    if not seen.instrument.trading:
        return f"{symbol} is not trading"
    return NO_LEVERAGE if account.view.proven(symbol) and symbol not in account.view.leverage else ""


def _twins(plan: OpenPlan, copy: Copy, main_size: Decimal, size: Decimal) -> list[Decimal]:
    """What would stand for each entry: a twin for a limit, what main's position calls for after one at market."""
    quantities = []
    for entry, order in zip(plan.entries, plan.orders, strict=True):
        qty = plan.instrument.floor_qty(copy.ratio * order.qty)
        if entry.kind == MARKET:
            grown = copy.after_main(main_size + order.qty).want(main_size + order.qty, plan.instrument)
            qty = max(grown - size, ZERO)
        quantities.append(qty if plan.instrument.meets_minimum(qty, entry.price) else ZERO)
    return quantities


def _entry(entry: Entry, each: Taken) -> Row:
    row = {"type": entry.kind, "price": plain(entry.price), "qty": plain(each.qty)}
    return row | {"notional": _cents(each.qty * entry.price), "held": each.refusal or None}


def _row(
    engine: Engine,
    account: Account,
    plan: OpenPlan,
    entries: list[Row],
    qty: Decimal,
    size: Decimal,
    leverage: Decimal | None,
    done: Collection[str],
    target: Decimal | None = None,
    ordered: Decimal | None = None,
) -> Row:
    """`plan`: with the entries that fill. `target` of the whole position, where it has no ladder.

    `ordered`: what the orders are worth, where some of them will not fill.
    """
    trade, after = plan.trade, size + qty
    mean = sum((entry.price for entry in plan.entries), ZERO) / len(plan.entries)
    average = _average(account.view.position(*plan.key), size, qty, mean)
    ladder = without(stored_ladder(trade), done)
    rungs = spread(ladder, after, rungs_filled(engine, account.name, trade.symbol), plan.instrument)
    ends = [(rung.price, rung.open_qty) for rung in rungs] or ([] if target is None else [(target, after)])
    notional = qty * mean if ordered is None else ordered
    return {
        "account": account.name,
        "symbol": trade.symbol,
        "state": "known",
        "error": None,
        "approach": trade.approach,
        "entries": entries,
        "qty": plain(qty),
        "qty_after": plain(after),
        "raw_want": None,
        "notional": _cents(notional),
        "leverage": None if leverage is None else plain(leverage),
        "margin": None if leverage is None else _cents(notional / leverage),
        "entry_price": None if average is None else plain(plan.instrument.round_price(average)),
        "targets": _targets(ladder, rungs),
        "stop": None if trade.stop is None else plain(trade.stop),
        **_risk(trade, after, average, ends, account),
        "held": None,
        "warnings": [],
        "sizing": None,
        "terms": None,
    }


def _average(row: Position | None, size: Decimal, qty: Decimal, mean: Decimal) -> Decimal | None:
    """The average entry once everything has filled; None when that of what is held is not known."""
    if not size + qty:
        return None
    if not size:
        return mean
    if row is None or row.entry_price is None:
        return None
    return (size * row.entry_price + qty * mean) / (size + qty)


def _targets(ladder: Ladder, rungs: Sequence[RungOrder]) -> list[Row]:
    """Every rung left with what rests for it. `joined`: the leg whose order its share goes with, counted from 1."""
    resting = {rung.key: rung for rung in rungs}
    legs = sorted(rung.leg for rung in rungs)
    rows = []
    for rung in ladder.rungs:
        order = resting.get(rung.key)
        nearer = [leg for leg in legs if leg < rung.leg]
        joined = None if order is not None or not legs else (nearer[-1] if nearer else legs[0]) + 1
        rows.append(
            {
                "leg": rung.leg + 1,
                "price": plain(rung.price),
                "percent": plain(rung.weight.quantize(_CENT)),
                "qty": plain(order.open_qty) if order is not None else "0",
                "joined": joined,
            }
        )
    return rows


def _risk(
    trade: Trade, size: Decimal, average: Decimal | None, ends: Sequence[tuple[Decimal, Decimal]], account: Account
) -> Mapping[str, str | None]:
    """Loss at the stop, its share of the equity, and what all targets bring for it. Negative: the stop is in profit.

    `ends`: price and quantity of each target.
    """
    loss = None
    if trade.stop is not None and average is not None and size:
        loss = (average - trade.stop) * trade.side.sign * size
    equity = account.view.wallet.equity if account.view.wallet is not None else None
    reward = None
    if ends and size and average is not None:
        reward = sum(((price - average) * trade.side.sign * qty for price, qty in ends), ZERO)
    return {
        "loss_at_stop": None if loss is None else _cents(loss),
        "loss_percent": None if loss is None or not equity else _cents(loss * 100 / equity),
        "reward": None if reward is None else _cents(reward),
        "reward_risk": None if reward is None or loss is None or loss <= 0 else _cents(reward / loss),
    }


def _unknown(name: str, error: str) -> Row:
    names = ("symbol", "approach", "entries", "qty", "qty_after", "raw_want", "notional", "leverage", "margin")
    risk = (
        "entry_price",
        "targets",
        "stop",
        "loss_at_stop",
        "loss_percent",
        "reward",
        "reward_risk",
        "held",
        "sizing",
        "terms",
        "warnings",
    )
    return {"account": name, "state": "unknown", "error": error, **dict.fromkeys((*names, *risk))}


def _cents(value: Decimal) -> str:
    return plain(value.quantize(_CENT))
