"""Writes the reference pages from the code: `make docs`. A test fails when a page and the code disagree.

docs/profiles.md from the profile schema, docs/troubleshooting.md from the retCode table, docs/audit.md from the table
of findings, docs/faults.md from the paper exchange's catalogue of faults.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from mirrorctl.core.bybit.retcodes import TABLE, Reaction
from mirrorctl.core.domain.alert_types import AlertType
from mirrorctl.core.domain.approach import BUILT_IN
from mirrorctl.core.domain.audit.findings import TABLE as FINDINGS
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.paper.fault_catalogue import CATALOGUE, Entry, Lasts, Whose
from mirrorctl.core.profile.approaches import settings_of
from mirrorctl.core.profile.kinds import kind_of
from mirrorctl.core.profile.schema import ApproachTable, MirrorTable, ProfileFile, Table
from mirrorctl.core.profile.unbuilt import MAIN, MIRROR, TOP
from tools.conformance import page as conformance_page

DOCS = Path(__file__).parent.parent / "docs"

MEANINGS = {
    "schema": "version of this file's form; 1",
    "name": "name of the profile; its state, lock and log go by it",
    "environment": "which exchange",
    "category": "kind of contract",
    "settle_coin": "coin in which contracts settle",
    "endpoints.rest": "REST address in place of the environment's; plain http only to loopback",
    "endpoints.private_ws": "address of the private stream",
    "endpoints.trade_ws": "address of WebSocket order entry",
    "endpoints.public_ws": "address of the public stream",
    "api_key_env": "environment variable with the API key",
    "api_secret_env": "environment variable with the API secret",
    "api_key": "the key itself; only in a file with mode 0600",
    "api_secret": "the secret itself; only in a file with mode 0600",
    "position_mode": "position mode of the account; auto takes it as it is",
    "main.manage": "which positions on main the daemon may protect and change",
    "mirrors.name": "name of the mirror; unique, not main",
    "mirrors.enabled": "false: the mirror is not touched at all",
    "mirrors.adopt": "main positions already open when this mirror is first seen; default all on paper, else new-only",
    "mirrors.alerts": "send its alerts to Telegram; critical ones are sent anyway",
    "mirrors.map": "main symbol to mirror symbol and quantity multiplier; prices are divided by it",
    "mirrors.sizing.mode": "how the copy ratio of a cycle is made",
    "mirrors.sizing.value": "by mode: a factor on main's quantity (proportion) or on the computed ratio (equity,"
    " same-margin-percent), where 50% is 0.5; USDT for each position (fixed-notional); base coin for each position"
    " (fixed-qty); percent of the mirror's equity lost at the stop (risk)",
    "mirrors.sizing.below_minimum": "growth under the contract's minimum: left out, raised once, or made up later",
    "mirrors.sizing.leverage_factor": "factor on main's leverage, within max_leverage",
    "mirrors.sizing.symbols": "value for single symbols",
    "mirrors.filter.symbols": "globs of main's symbols to follow; empty: all",
    "mirrors.filter.exclude": "globs of main's symbols not to follow",
    "mirrors.filter.sides": "sides of main to follow",
    "mirrors.filter.windows": "when entries are followed: [DAYS] [HH:MM-HH:MM] [ZONE], UTC where no zone is named",
    "mirrors.filter.close_only": "follow no entries at all",
    "mirrors.follow.direction": "main's side, or the other: main's stop is the target, its furthest target the stop",
    "mirrors.follow.hedge": "both legs on main, one position here: follow nothing, their difference, or one leg",
    "mirrors.follow.delay_s": "seconds main must have held a size, or kept an order, before it is followed",
    "mirrors.follow.approach": "main's ladder, or one of its own by this approach, at prices read off main's targets",
    "mirrors.follow.breakeven": "when the mirror's stop goes to breakeven",
    "mirrors.follow.catch_up": "a twin lags after grace_s: order within the bound, rest there, or let the twin wait",
    "mirrors.follow.grace_s": "how long a twin may lag behind main's fill before it is cancelled and the rest ordered",
    "mirrors.follow.max_age_s": "how long main's fill is the reference for slippage; afterwards the mid",
    "mirrors.follow.max_slippage_bps": "worst price of growth, from the reference; nothing is chased beyond it",
    "mirrors.follow.max_exit_slippage_bps": "worst price of a reduction while exit_deadline_s lasts",
    "mirrors.follow.exit_deadline_s": "after this a reduction goes at market",
    "mirrors.follow.manual_edit": "size changed by hand on a mirror position of ours: brought back, or the new target",
    "mirrors.follow.foreign": "a position on the mirror that is not ours: left alone, or ours on the side main holds",
    "mirrors.protection.naked_bound_ms": "longest time a position may stand without its stop",
    "mirrors.protection.on_unprotected": "what happens past that bound",
    "mirrors.protection.max_stop_bps": "farthest its stop may be from its own average entry; 0: as far as main's",
    "limits.max_leverage": "highest leverage",
    "limits.max_position_notional": "largest notional of one position with its resting entries, in USDT",
    "limits.max_total_notional": "largest notional of all positions and resting entries, in USDT",
    "limits.max_open_positions": "most symbols with a position or a resting entry",
    "limits.max_daily_loss": "loss since 00:00 UTC, closed and open together; unreadable counts as reached",
    "limits.max_drawdown_pct": "fall of the equity from the highest that was seen since 00:00 UTC, in percent; 0: off",
    "limits.max_orders_per_minute": "placements in a minute; holds back entries only",
    "limits.on_breach": "at max_daily_loss and max_drawdown_pct: an alert a day, no entries until `mirrorctl resume`, "
    "or that and our orders and positions of the account closed; every other limit refuses the entry",
    "approaches.NAME.entries": "kinds of entry orders (market, limit), in equal parts; market only as the first",
    "approaches.NAME.targets": "percentages of the rungs, nearest to entry first; they sum to 100, at most 10",
    "approaches.NAME.breakeven_after": "rungs done when the stop goes to breakeven; 0: never",
    "approaches.NAME.breakeven_margin_bps": "margin beyond fees at breakeven",
    "approaches.NAME.cancel_entries_after": "rungs done when unfilled entries are cancelled; 0: never",
    "daemon.relist_s": "every account is read in full this often",
    "daemon.tick_s": "longest pause between two looks",
    "daemon.order_entry": "how the daemon sends orders; `ws`: a trade socket (not on demo), and HTTP while it is down",
    "daemon.max_closes_per_pass": "most positions closed within a minute without a closing execution on main for each",
    "telegram.enabled": "send alerts to Telegram; `mirrorctl telegram test` tries it",
    "telegram.token_env": "environment variable with the bot's token",
    "telegram.chat_id": "chat that gets the alerts",
    "telegram.allowed_chats": "chats that may send commands",
    "telegram.mute": "hours in which only critical alerts are sent, the others after them; UTC where no zone is named",
    "telegram.api_base": "address of the Bot API",
    "telegram.alerts": f"TYPE = true or false; all are on: {', '.join(AlertType)}",
}

_REACTIONS = {
    Reaction.DONE: "taken as done, then read back",
    Reaction.AGAIN: "sent again a little later under the same id",
    Reaction.QUERY: "in doubt: looked up by its id before anything else",
    Reaction.CLOCK: "the clock is measured anew, then sent again",
    Reaction.ACCOUNT: "a human must act",
    Reaction.REJECT: "final for this order",
    Reaction.RESYNC: "the account is read, then decided again",
}


def profiles_page() -> str:
    """The profile reference."""
    lines = [
        "# Profile keys",
        "",
        "Written by `make docs` from the schema. `[mirror_defaults]` takes every key of a mirror but its name and API",
        "keys; a mirror overrides it key by key. `mirrorctl profile show --resolved` tells which value holds and why.",
        "",
        "*Not built* keys are refused at any value but the one named (or altogether): never accepted and ignored.",
        "",
        "| key | takes | default | meaning |",
        "|---|---|---|---|",
    ]
    for path, takes, default in keys():
        lines.append(f"| `{path}` | {takes} | {default} | {meaning(path)}{_unbuilt(path)} |")
    return "\n".join(lines + _approaches()) + "\n"


def _approaches() -> list[str]:
    """The built-in approaches, by the keys a profile may overlay."""
    rows = {name: settings_of(approach) for name, approach in BUILT_IN.items()}
    names = " | ".join(f"`{name}`" for name in rows)
    return [
        "",
        "## Approaches",
        "",
        "`[approaches.NAME]` adds an approach, or changes a built-in one key by key. What it leaves out is as in the",
        "built-in approach of that name, else as in `fast`. A custom NAME is anything but main, adopted and followed.",
        "",
        f"| key | {names} |",
        "|---" * (len(rows) + 1) + "|",
        *(f"| `{key}` | " + " | ".join(_listed(row[key]) for row in rows.values()) + " |" for key in rows["fast"]),
    ]


def _listed(value: object) -> str:
    if isinstance(value, list):
        return f"`[{', '.join(plain(item) if isinstance(item, Decimal) else str(item) for item in value)}]`"
    return _text(value)


def troubleshooting_page() -> str:
    """What Bybit's codes mean here."""
    lines = [
        "# Troubleshooting by retCode",
        "",
        "Written by `make docs` from the table that the program itself uses. A code that is not listed is final when",
        "it is a trading refusal (110xxx and above), and in doubt otherwise.",
        "",
        "| code | meaning | what mirrorctl does | what you can do |",
        "|---|---|---|---|",
    ]
    for code, row in sorted(TABLE.items()):
        lines.append(f"| {code} | {row.meaning} | {_REACTIONS[row.reaction]} | {row.hint or '–'} |")
    return "\n".join(lines) + "\n"


def audit_page() -> str:
    """What an audit may find."""
    lines = [
        "# Audit",
        "",
        "Written by `make docs` from the table that the program itself uses.",
        "",
        "`mirrorctl audit` reads every account itself, compares what stands with what should, and sends nothing: it",
        "has no way to. It runs beside a daemon, from cron for example, or without one. What it compares with are",
        "main's positions, orders and trades, and what `sync` would do: the same planner, rehearsed.",
        "",
        "A look that finds something is followed by another one and a half seconds later, and only what both saw is",
        "reported: what a daemon mends meanwhile is no finding. Nothing is concluded from unknown: of an account that",
        "cannot be read, only that is said, and while main is unknown nothing is said of drift.",
        "",
        "It exits 0 when clean (findings of severity info leave it clean), 3 with findings, 4 when no account can",
        "be read. `mirrorctl audit --fix` shows the plan, carries out what `mirrorctl sync` would, audits again, and",
        "exits by what is left. What a new store holds back it does not release; `mirrorctl sync --yes` does.",
        "",
        "That a daemon runs is not audited; `mirrorctl status --max-age 60` tells.",
        "",
        "| code | severity | means | mended by |",
        "|---|---|---|---|",
    ]
    for code, row in FINDINGS.items():
        severity = "; ".join([row.severity.value, *(f"{other.value}: {when}" for other, when in row.otherwise.items())])
        lines.append(f"| `{code}` | {severity} | {row.meaning} | {row.remedy} |")
    return "\n".join(lines) + "\n"


def keys() -> Iterator[tuple[str, str, str]]:
    """(path, what it takes, default) of every key, in the order of the schema."""
    yield from _walk(ProfileFile, "")


def meaning(path: str) -> str:
    """What a key is for; the same key of different tables may share one text."""
    parts = path.split(".")
    for start in range(len(parts)):
        found = MEANINGS.get(".".join(parts[start:]))
        if found:
            return found
    raise KeyError(path)


def _walk(table: type[Table], prefix: str) -> Iterator[tuple[str, str, str]]:
    for field in msgspec.structs.fields(table):
        path = prefix + field.encode_name
        if path == "mirror_defaults":
            continue
        inner = MirrorTable if path == "mirrors" else _table_in(field.type)
        if inner is not None:
            yield from _walk(inner, f"{path}.NAME." if inner is ApproachTable else f"{path}.")
        else:
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory
            required = (kind := kind_of(_extra(field.type))) is not None and kind.required
            yield (
                path,
                _takes(field.type),
                "required" if required else _text(default() if callable(default) else default),
            )


def _table_in(kind: Any) -> type[Table] | None:
    if isinstance(kind, type) and issubclass(kind, Table):
        return kind
    inner = [arg for arg in get_args(kind) if isinstance(arg, type) and issubclass(arg, Table)]
    return ApproachTable if ApproachTable in inner else None


def _takes(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    found = kind_of(_extra(kind))
    if found is not None:
        return found.allowed
    if kind is bool:
        return "true, false"
    words = {list: "a list", dict: "a table"}
    if get_origin(kind) in words:
        return words[get_origin(kind)]
    parts = [_takes(arg) for arg in get_args(kind) if arg is not type(None)]
    return parts[0] if parts else str(kind)


def _extra(kind: Any) -> dict[str, Any] | None:
    return next((meta.extra for meta in getattr(kind, "__metadata__", ()) if meta.extra), None)


def _text(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, Decimal):
        return f"`{plain(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _unbuilt(path: str) -> str:
    section, _, rest = path.partition(".")
    rows = {"main": MAIN, "mirrors": MIRROR}.get(section, ())
    found = next((row for row in rows if row.path == rest), None) or next((r for r in TOP if r.path == path), None)
    if found is None:
        return ""
    if not found.neutral:
        return "; *not built: leave it out*"
    return f"; *not built: only {_text(found.neutral[0])}*"


def faults_page() -> str:
    """What can be made to go wrong on the paper exchange."""
    lines = [
        "# Faults of the paper exchange",
        "",
        "Written by `make docs` from the catalogue. `mirrorctl paper fault KIND` makes one of these go wrong; with",
        "`--account NAME` for one account, with `--target` for one path or topic. `--arg KEY=VALUE` gives an argument;",
        "one marked * is needed, the others have a default. What strikes *each time* does so once, N times with",
        "`--count N`, for S seconds with `--for S`, or with `--forever`; what *stands* does so until it is cleared, or",
        "`--for S`. `mirrorctl paper fault` lists what stands, `mirrorctl paper fault --clear` takes all of it down.",
        "",
        "    mirrorctl paper fault lose-reply --account mirror --target /v5/order/create",
        "    mirrorctl paper fault ret-code --arg code=10016 --for 10",
        "    mirrorctl paper fault stream-silent --account main --for 20",
        "    mirrorctl paper fault funding --arg symbol=BTCUSDT --arg rate=0.0001",
        "    mirrorctl paper fault call --account mirror --target /v5/order/create --arg category=linear \\",
        "      --arg symbol=BTCUSDT --arg side=Buy --arg orderType=Market --arg qty=0.01",
        "",
        "Bybit's own limits hold without any fault: a rolling second per account and endpoint (10 orders, amendments,",
        "cancels and stops each, 50 reads of most lists; one too many is 10006, with Bybit's `X-Bapi-Limit` headers),",
        "and 600 requests in 5 seconds from one address (one too many is HTTP 403, for ten minutes).",
    ]
    for group in dict.fromkeys(entry.group for entry in CATALOGUE):
        lines += ["", f"## {group[0].upper()}{group[1:]}", ""]
        lines += ["| kind | what happens | arguments | target | account | strikes |", "|---|---|---|---|---|---|"]
        lines += [_fault_row(entry) for entry in CATALOGUE if entry.group == group]
    lines += [
        "",
        "A silent or refused stream, a ban and a skewed clock look to the daemon as they would on Bybit: `status` says",
        "what it makes of them. Set the clock ahead by seconds only: what happens meanwhile is dated by it.",
        "",
    ]
    return "\n".join(lines)


def _fault_row(entry: Entry) -> str:
    args = "; ".join(
        f"`{row.name}`{'' if row.default else '*'} {row.meaning}" + (f" ({row.default})" if row.default else "")
        for row in entry.arguments
    )
    args = "; ".join(part for part in (args, "the call's parameters" if entry.open else "") if part) or "–"
    kinds = {"/v5": "path", "": "–"}
    target = kinds.get(entry.targets[0][:3] if entry.targets else "", "topic")
    whose = {Whose.ANY: "one or all", Whose.ONE: "one", Whose.ALL: "all"}[entry.whose]
    lasts = {Lasts.USES: "each time", Lasts.STANDS: "stands", Lasts.NOW: "at once"}[entry.lasts]
    return f"| `{entry.kind}` | {entry.says} | {args} | {target} | {whose} | {lasts} |"


PAGES = {
    "profiles.md": profiles_page,
    "troubleshooting.md": troubleshooting_page,
    "audit.md": audit_page,
    "faults.md": faults_page,
}


def main() -> int:
    """Write every page, also the one that the simulation writes (some seconds)."""
    logging.disable(logging.CRITICAL)  # what the simulated daemon tells is no news
    for name, page in {**PAGES, "conformance.md": conformance_page}.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
