"""Documents of the dashboard, made by hand: what a daemon or a reader of the exchange would publish."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

Document = dict[str, Any]

NOW = datetime(2026, 3, 9, 13, 45, 30, tzinfo=UTC)
ZONE = timezone(timedelta(hours=1), "CET")


def ago(seconds: float) -> str:
    """A moment before NOW, as the document writes it."""
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def position(symbol: str, side: str, qty: str, **more: Any) -> Document:
    """A position in good order; every field can be given."""
    found = {
        "symbol": symbol,
        "side": side,
        "position_idx": 0,
        "qty": qty,
        "entry_price": "60000",
        "mark_price": "60412.3",
        "unrealised_pnl": str(Decimal(qty) * Decimal("412.3")),
        "leverage": "5",
        "liquidation_price": "48623.5",
        "stop": "57000",
        "stop_qty": qty,
        "stop_distance_pct": "5.65",
        "targets": [{"price": "63000", "qty": qty}],
        "rungs_done": 0,
        "rungs_total": 4,
        "phase": "monitoring",
        "label": f"{symbol}_conservative",
        "approach": "conservative",
        "want_qty": qty,
        "drift_qty": "0",
        "drift_since": None,
        "hold": None,
        "hold_since": None,
        "parked": None,
        "naked_ms": None,
        "at_targets": str(Decimal(qty) * 3000),
        "at_stop": str(Decimal(qty) * -3000),
    }
    return {**found, **more}


def desk(role: str, equity: str, *positions: Document, **more: Any) -> Document:
    """One account's money and positions; potentials are the sums of its positions'."""
    found = {
        "role": role,
        "state": "fresh",
        "read_at": ago(2),
        "changed_at": ago(1),
        "equity": equity,
        "available": str(Decimal(equity) * Decimal("0.9")),
        "initial_margin": str(Decimal(equity) * Decimal("0.1")),
        "maintenance_margin": str(Decimal(equity) * Decimal("0.012")),
        "unrealised_pnl": str(sum(Decimal(row["unrealised_pnl"]) for row in positions)),
        "realised_today": "12.5",
        "realised_at": ago(20),
        "at_targets": str(sum(Decimal(row["at_targets"]) for row in positions)),
        "at_stops": str(sum(Decimal(row["at_stop"] or 0) for row in positions)),
        "without_targets": [],
        "without_stops": [f"{row['symbol']} {row['side']}" for row in positions if row["stop"] is None],
        "positions": list(positions),
        "missing": [],
        "building": [],
    }
    return {**found, **more}


def account(name: str, **more: Any) -> Document:
    """One account of the status document, in good order."""
    found = {
        "account": name,
        "role": "main" if name == "main" else "mirror",
        "state": "fresh",
        "stream": "up",
        "breaker": "closed",
        "next_try_s": 0.0,
        "budget": None,
        "last_event_at": ago(1),
        "last_read_at": ago(2),
        "clock_skew_ms": 12,
        "paused": False,
        "day": None,
        "approach": None if name == "main" else "main",
        "monitors": 2,
        "error": None,
    }
    return {**found, **more}


def document(desks: dict[str, Document], **more: Any) -> Document:
    """A document of a daemon, in step, with an alert and a few measured copies."""
    mirrors = [name for name in desks if name != "main"]
    found: Document = {
        "schema": 1,
        "profile": "live",
        "environment": "testnet",
        "at": ago(1),
        "source": "daemon",
        "age_ms": 0,
        "notes": [],
        "daemon": {"running": True, "pid": 4711, "since": ago(7200), "answering": True},
        "mirroring": True,
        "accounts": [account(name) for name in desks],
        "monitors": {"total": 2 * len(desks), "main": 2, "mirror": 2 * len(mirrors)},
        "building": {"total": 0, "main": 0, "mirror": 0},
        "in_sync": True,
        **{name: [] for name in ("drift", "held", "parked", "pauses", "unprotected", "naked", "missing")},
        "in_doubt": 0,
        "doubts": [],
        "loops": [],
        "address": {"limit": 600, "left": 580, "window_s": 5, "wait_s": 0.0, "silent_s": 0.0},
        "alerts_waiting": 0,
        "store": {"writable": True, "since": None, "error": None, "hint": None, "waiting": 0},
        "alerts": [alert(300, "info", "main", "BTCUSDT", "long opened: 0.03 at 60000")],
        "desk": desks,
        "copies": [
            {
                "account": mirrors[i % len(mirrors)] if mirrors else "mirror",
                "symbol": "BTCUSDT",
                "at": ago(600 - i),
                "latency_ms": 90 + 37 * (i * i % 11),
                "legs_ms": {"main_to_frame": 40, "frame_to_plan": 2, "plan_to_send": 1, "send_to_ack": None},
                "slippage_bps": str(Decimal(i * 7 % 9 - 2) / 4),
            }
            for i in range(30)
        ],
    }
    return {**found, **more}


def alert(seconds: float, severity: str, name: str, symbol: str, text: str) -> Document:
    """A row of the outbox."""
    return {"at": ago(seconds), "severity": severity, "kind": "x", "account": name, "symbol": symbol, "text": text}


def normal() -> Document:
    """Main and two mirrors, two trades, all in step."""
    eth = {"entry_price": "3105.237", "mark_price": "3098.41", "stop": "3180.5", "stop_distance_pct": "2.65"}
    short = {**eth, "phase": "profit-taking", "rungs_done": 1, "liquidation_price": "3702.11", "approach": "fast"}
    eth_pnl = {"0.84": "5.73", "0.42": "2.87", "0.21": "1.43"}

    def both(btc: str, other: str) -> tuple[Document, Document]:
        more = {"unrealised_pnl": eth_pnl[other], "at_targets": "63.2", "at_stop": "-31.6"}
        return position("BTCUSDT", "long", btc), position("ETHUSDT", "short", other, **short, **more)

    return document(
        {
            "main": desk("main", "25310.4471", *both("0.03", "0.84")),
            "mirror": desk("mirror", "10432.1", *both("0.015", "0.42"), realised_today="-6.31"),
            "small": desk("mirror", "987.65", *both("0.007", "0.21"), realised_today="0"),
        }
    )


def no_daemon() -> Document:
    """The same, read from the exchange: what only a daemon knows is unknown."""
    found = normal()
    daemons_own = ("rungs_done", "rungs_total", "phase", "label", "approach", "want_qty", "drift_qty", "drift_since")
    for each in found["desk"].values():
        each["missing"] = None
        each["changed_at"] = None
        for row in each["positions"]:
            row.update(dict.fromkeys((*daemons_own, "hold", "hold_since", "parked", "naked_ms")))
    for each in found["accounts"]:
        each.update(stream="down", breaker=None, last_event_at=None, clock_skew_ms=None, next_try_s=None)
    unknown = ("in_sync", "drift", "held", "parked", "unprotected", "naked", "doubts", "loops", "missing", "address")
    return {
        **found,
        **dict.fromkeys((*unknown, "store", "copies")),
        "source": "exchange",
        "daemon": {"running": False, "pid": None, "since": None},
    }


def unknown_mirror() -> Document:
    """One mirror that could never be read."""
    found = normal()
    found["desk"]["small"] = {**dict.fromkeys(found["desk"]["small"]), "role": "mirror", "state": "unknown"}
    found["accounts"][2] = account(
        "small",
        state="unknown",
        stream="down",
        breaker="open",
        error="small: the exchange does not answer (connection refused)",
        **dict.fromkeys(("last_event_at", "last_read_at", "clock_skew_ms", "paused", "monitors")),
    )
    found["monitors"] = {"total": None, "main": 2, "mirror": None}
    return {**found, "in_sync": False}


def trouble() -> Document:
    """Everything at once: without a stop, parked, drifting, held, a breaker open, a send in doubt, paused."""
    found = normal()
    main, mirror, small = (found["desk"][name] for name in ("main", "mirror", "small"))
    mirror["positions"][0].update(stop=None, stop_qty=None, stop_distance_pct=None, at_stop=None, naked_ms=12_400)
    mirror["without_stops"] = ["BTCUSDT long"]
    small["positions"][0].update(want_qty="0.009", drift_qty="0.002", drift_since=ago(75))
    small["positions"][1].update(parked="a position that is not ours", hold="paused")
    sol = position("SOLUSDT", "long", "12.5", entry_price="148.21", mark_price="149.02", unrealised_pnl="10.13")
    main["positions"].append({**sol, "stop": "141.5", "stop_distance_pct": "5.05", "phase": "building"})
    hold = "limit: max_open_positions 2 is reached"
    lacking = {"symbol": "SOLUSDT", "side": "long", "want_qty": "0", "parked": None, "drift_since": None}
    mirror["missing"] = [{**lacking, "hold": hold, "hold_since": ago(200)}]
    found["accounts"][1].update(breaker="open", next_try_s=4.0, stream="down", last_event_at=ago(95))
    found["accounts"][2].update(paused=True)
    remedy = 'close it, or set foreign = "adopt"'
    return {
        **found,
        "in_sync": False,
        "drift": [{"account": "small", "symbol": "BTCUSDT", "have": "0.007", "want": "0.009", "since": ago(75)}],
        "held": [{"account": "mirror", "symbol": "SOLUSDT", "raw_want": "6.25", "want": "0", "reason": hold}],
        "parked": [
            {"account": "small", "symbol": "ETHUSDT", "reason": "a position that is not ours", "remedy": remedy}
        ],
        "pauses": [
            {"kind": "pause", "account": "small", "symbol": None, "reason": "by the trader", "since": ago(5000)}
        ],
        "naked": [{"account": "mirror", "symbol": "BTCUSDT", "side": "long", "ms": 12_400}],
        "in_doubt": 1,
        "doubts": [
            {
                "account": "mirror",
                "symbol": "BTCUSDT",
                "what": "stop to 57000",
                "since": ago(9),
                "why": "no answer within 5 s",
                "remedy": "it is asked about until it is known",
            }
        ],
        "alerts_waiting": 3,
        "alerts": [
            alert(12, "critical", "mirror", "BTCUSDT", "long is without a stop for 2.1 s"),
            alert(75, "warning", "small", "BTCUSDT", "drift: has 0.007, wants 0.009"),
            alert(95, "warning", "mirror", "", "cannot be reached since 10 s: connection refused"),
        ],
    }


def many(accounts: int = 12, symbols: int = 2) -> Document:
    """Main and many mirrors with several positions each; two of the mirrors need a look."""
    prices = {"entry_price": "1.23456", "mark_price": "1.2571", "stop": "1.1", "unrealised_pnl": "27.83"}
    more = {
        **prices,
        "stop_distance_pct": "12.49",
        "liquidation_price": "0.99",
        "at_targets": "81.9",
        "at_stop": "-166.1",
    }
    held = [position(f"S{at:02}USDT", "long", "1234.5", **more) for at in range(symbols)]
    names = ["main", *(f"mirror-{at:02}" for at in range(1, accounts))]
    found = document({name: desk("main" if name == "main" else "mirror", "10000", *map(dict, held)) for name in names})
    late = found["desk"][names[-1]]["positions"][symbols - 1]
    late.update(drift_qty="100", drift_since=ago(400), want_qty="1334.5")
    found["accounts"][-1].update(state="stale", last_event_at=ago(90), last_read_at=ago(80))
    found["accounts"][-2].update(paused=True)
    drift = {"account": names[-1], "symbol": f"S{symbols - 1:02}USDT", "have": "1234.5", "want": "1334.5"}
    return {**found, "in_sync": False, "drift": [{**drift, "since": ago(400)}]}
