"""`doctor`: whether the accounts can trade as they should, and what each mirror can copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands import amounts, choices, doctor_tables, logs
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.commands.terminal import error_document
from mirrorctl.core.domain.errors import PartlyDone, UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN

if TYPE_CHECKING:
    from decimal import Decimal

    from mirrorctl.bootstrap.doctor import Checkup
    from mirrorctl.bootstrap.examined import Examined
    from mirrorctl.core.domain.account_checks import Check
    from mirrorctl.core.domain.copyability import Copyability

_FINDINGS = 3

Document = dict[str, Any]


def doctor(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SYMBOL]...",
            help="What to copy; none: what main holds, orders and lately traded.",
            autocompletion=choices.symbols,
        ),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", metavar="NAME", help="One mirror only, and main.", autocompletion=choices.mirrors),
    ] = None,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """What is wrong with the accounts and the machine, and what the mirrors can copy.

    It reads the accounts itself and sends nothing: keys, UIDs, rights, clock, modes, leverage, streams; the daemon,
    the store, the disk. Then, for every symbol and mirror, the smallest order that is copied, what rounding costs, and
    which targets are too small. Each check is ok, a note, a warning or an error; exits 3 with a warning or an error.

    Example: mirrorctl doctor --mirror mirror BTCUSDT
    """
    session = open_session(context, profile, as_json)
    if mirror == MAIN:
        raise UsageError("--mirror: main is no mirror", "name one of the profile's mirrors, or leave it out")
    names = session.account_names(None) if mirror is None else [MAIN, *session.account_names(mirror)]
    found = _examine(session, names, [amounts.symbol(text) for text in symbols or ()])
    document = document_of(session.profile.name, found)
    failure = found.failure
    if failure is not None:
        document["error"] = error_document(failure)
    session.terminal.result(document, doctor_tables.doctor(document))
    if failure is not None:
        raise typer.Exit(failure.exit_code)
    if any(account.identity is None for account in found.accounts):
        raise typer.Exit(PartlyDone.exit_code)
    if not found.healthy:
        raise typer.Exit(_FINDINGS)


def _examine(session: Session, names: list[str], symbols: list[str]) -> Checkup:
    from mirrorctl.bootstrap.doctor import examine

    logs.to_nowhere()
    with session.terminal.progress("examining every account"):
        return examine(session.profile, session.home, names, symbols)


def document_of(profile: str, found: Checkup) -> Document:
    """The `doctor` document. Decimals as text, null for unknown."""
    return {
        "schema": SCHEMA,
        "profile": profile,
        "at": now_text(),
        "healthy": found.healthy,
        "accounts": [_account(account) for account in found.accounts],
        "checks": [_check(check) for check in found.checks],
        "mirrors": [
            {"account": name, "symbols": [_symbol(each) for each in rows]} for name, rows in found.mirrors.items()
        ],
    }


def _account(account: Examined) -> Document:
    known = account.identity
    modes = sorted(account.modes)
    margin = known.margin_mode if known else None
    wallet = account.view.wallet
    return {
        "account": account.name,
        "role": "main" if account.name == MAIN else "mirror",
        "state": "unknown" if known is None else "fresh",
        "error": account.error or None,
        "uid": known.uid if known else None,
        "unified": known.unified if known else None,
        "can_trade": known.can_trade if known else None,
        "can_withdraw": known.can_withdraw if known else None,
        "ip_bound": known.ip_bound if known else None,
        "expires_in_days": known.expires_in_days if known else None,
        "clock_skew_ms": account.clock_offset_ms,
        "position_mode": modes[0] if len(modes) == 1 else "mixed" if modes else None,
        "margin_mode": None if margin is None else margin.value,
        "stream_ms": account.stream.ms if account.stream is not None else None,
        "equity": _text(wallet.equity if wallet is not None else None),
    }


def _check(check: Check) -> Document:
    return {
        "check": check.check,
        "state": check.state.value,
        "severity": check.severity.value,
        "account": check.account or None,
        "text": check.text,
        "hint": check.hint or None,
    }


def _symbol(found: Copyability) -> Document:
    subject = found.subject
    return {
        "symbol": subject.symbol,
        "mirror_symbol": subject.rules.symbol,
        "price": plain(subject.price),
        "ratio": _text(subject.ratio),
        "formula": subject.formula,
        "smallest_main_qty": _text(found.smallest),
        "main_qty": plain(subject.main_size),
        "copied_qty": _text(found.copied),
        "rounding_pct": _text(found.rounding_pct, 2),
        "main_leverage": _text(subject.main_leverage),
        "leverage": _text(subject.leverage),
        "approaches": [
            {
                "approach": fit.approach,
                "joined_targets": None if fit.joined is None else list(fit.joined),
                "small_entries": fit.small_entries,
                "whole_from": _text(fit.whole_from),
                "requests": fit.requests,
                "seconds": plain(fit.seconds),
                "ip_pct": plain(fit.ip_percent),
            }
            for fit in found.ladders
        ],
        "notes": [{"severity": note.severity.value, "text": note.text} for note in found.notes],
    }


def _text(value: Decimal | None, places: int | None = None) -> str | None:
    if value is None:
        return None
    return plain(value if places is None else round(value, places))
