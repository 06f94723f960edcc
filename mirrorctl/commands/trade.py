"""`trade`: open, close, reduce, cancel, stop, breakeven and target on main; the mirrors follow."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mirrorctl.commands import amounts, choices, desk, tables, trade_tables
from mirrorctl.commands.confirm import check_askable, confirm
from mirrorctl.commands.help_pages import Commands
from mirrorctl.commands.options import (
    DryRunOption,
    JsonOption,
    ProfileOption,
    SideOption,
    SymbolArgument,
    WaitOption,
    YesOption,
)
from mirrorctl.commands.reading import whole_order_id
from mirrorctl.commands.session import SCHEMA, Session, open_session
from mirrorctl.commands.terminal import progress_lines
from mirrorctl.core.domain.errors import PartlyDone, UsageError

_HELP = """Open and change trades on main; the mirrors follow.

Examples:
  mirrorctl trade open BTCUSDT long --margin 100 --leverage 5 --stop 57000 --target 63000 --dry-run
  mirrorctl trade stop BTCUSDT 58500
  mirrorctl trade reduce BTCUSDT 50%
  mirrorctl trade close BTCUSDT
"""

app = Commands(no_args_is_help=True, help=_HELP)

_WAIT_S = "5"
_SIZE, _WHERE, _MIRRORS = "Size, one of", "Entries, exits, leverage", "Mirrors"

Args = dict[str, Any]


@app.command("open")
def open_(
    context: typer.Context,
    symbol: SymbolArgument,
    side: Annotated[str, typer.Argument(metavar="long|short", help="Which way.", autocompletion=choices.sides)],
    margin: Annotated[
        str | None,
        typer.Option(metavar="USDT|N%", help="Margin to use, or a part of what is available.", rich_help_panel=_SIZE),
    ] = None,
    qty: Annotated[
        str | None, typer.Option(metavar="QTY", help="Quantity in base coin.", rich_help_panel=_SIZE)
    ] = None,
    notional: Annotated[
        str | None, typer.Option(metavar="USDT", help="Value of the position.", rich_help_panel=_SIZE)
    ] = None,
    risk: Annotated[
        str | None, typer.Option(metavar="N%", help="Part of main's equity to lose at the stop.", rich_help_panel=_SIZE)
    ] = None,
    leverage: Annotated[
        str | None, typer.Option(metavar="N", help="Leverage; main's own if left out.", rich_help_panel=_WHERE)
    ] = None,
    entry: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRICE", help="Limit entry; repeat for equal parts. None: market.", rich_help_panel=_WHERE
        ),
    ] = None,
    stop: Annotated[str | None, typer.Option(metavar="PRICE", help="Stop loss.", rich_help_panel=_WHERE)] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRICE[:PERCENT]",
            help="Take-profit; repeat for a ladder whose percents sum to 100.",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    approach: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="fast, conservative, or one of the profile's own.",
            autocompletion=choices.approaches,
            rich_help_panel=_WHERE,
        ),
    ] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Sizing value of one mirror for this trade alone, in the unit of its mode; repeatable.",
            autocompletion=choices.mirrors,
            rich_help_panel=_MIRRORS,
        ),
    ] = None,
    no_mirror: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="This mirror stays out of the trade; repeatable.",
            autocompletion=choices.mirrors,
            rich_help_panel=_MIRRORS,
        ),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Your own id: the same id never opens twice.")
    ] = None,
    wait: WaitOption = _WAIT_S,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Open a trade on main at market, or with limit entries; or add to the one that stands.

    Examples:
      mirrorctl trade open BTCUSDT long --margin 100 --leverage 5 --stop 57000 --target 63000
      mirrorctl trade open BTCUSDT long --risk 1% --stop 57000 --target 62000:85 --target 64000:15
      mirrorctl trade open ETHUSDT short --qty 2 --entry 3100 --stop 3200 --no-mirror second --dry-run
    """
    session = open_session(context, profile, as_json)
    args: Args = {
        "symbol": amounts.symbol(symbol),
        "side": amounts.position_side(side, "side"),
        **_size(margin, qty, notional, risk),
        "leverage": _maybe(leverage, "--leverage"),
        "entries": [amounts.positive(price, "--entry") for price in entry or ()],
        "stop": _maybe(stop, "--stop"),
        "targets": [amounts.target(text, "--target") for text in target or ()],
        "approach": approach,
        "mirrors": [amounts.mirror_value(text, "--mirror") for text in mirror or ()],
        "without": list(no_mirror or ()),
        "client_id": client_id,
        "wait_s": str(amounts.seconds(wait, "--wait")),
    }
    if not dry_run:
        check_askable(session, yes, has_dry_run=True)
    asks = session.profile.real and not yes
    if dry_run or asks:
        found = desk.rehearse(session, "trade.open", {**args, "dry_run": True})
        shown = (tables.plan({**found, "held": []}), trade_tables.preview(found["preview"]))
        if dry_run:
            session.terminal.result({"schema": SCHEMA, "profile": session.profile.name, **found}, *shown)
            return
        session.terminal.preview(*shown)
        confirm(session, f"Open {args['symbol']} {args['side']}", yes)
    _carry_out(session, "trade.open", args, previews=not asks)


@app.command()
def close(
    context: typer.Context,
    symbol: SymbolArgument,
    side: SideOption = None,
    wait: WaitOption = _WAIT_S,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Close main's position at market and cancel our resting entries.

    Examples:
      mirrorctl trade close BTCUSDT
      mirrorctl trade close BTCUSDT --side short
    """
    session = open_session(context, profile, as_json)
    args = _target(symbol, side, wait)
    _ask(session, f"Close {args['symbol']} at market", yes)
    _carry_out(session, "trade.close", args)


@app.command()
def reduce(
    context: typer.Context,
    symbol: SymbolArgument,
    amount: Annotated[str, typer.Argument(metavar="N%|QTY", help="Part of the position, or a quantity.")],
    side: SideOption = None,
    wait: WaitOption = _WAIT_S,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Reduce main's position at market.

    Examples:
      mirrorctl trade reduce BTCUSDT 50%
      mirrorctl trade reduce BTCUSDT 0.01
    """
    session = open_session(context, profile, as_json)
    value, percent = amounts.amount_or_percent(amount, "amount", "a quantity")
    args = {**_target(symbol, side, wait), "amount": value, "percent": percent}
    _ask(session, f"Reduce {args['symbol']} by {amount} at market", yes)
    _carry_out(session, "trade.reduce", args)


@app.command()
def stop(
    context: typer.Context,
    symbol: SymbolArgument,
    price: Annotated[str, typer.Argument(metavar="PRICE", help="New stop loss of main's position.")],
    side: SideOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Move the stop of main's position.

    Example: mirrorctl trade stop BTCUSDT 58500
    """
    session = open_session(context, profile, as_json)
    args = {**_target(symbol, side, _WAIT_S), "price": amounts.positive(price, "price")}
    _ask(session, f"Move the stop of {args['symbol']} to {args['price']}", yes)
    _carry_out(session, "trade.stop", args)


@app.command()
def breakeven(
    context: typer.Context,
    symbol: SymbolArgument,
    side: SideOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Move the stop to breakeven: average entry, the fees of both legs and a margin. Never to a worse price.

    Example: mirrorctl trade breakeven BTCUSDT
    """
    session = open_session(context, profile, as_json)
    args = _target(symbol, side, _WAIT_S)
    _ask(session, f"Move the stop of {args['symbol']} to breakeven", yes)
    _carry_out(session, "trade.breakeven", args)


@app.command()
def target(
    context: typer.Context,
    symbol: SymbolArgument,
    prices: Annotated[
        list[str],
        typer.Argument(metavar="PRICE[:PERCENT]...", help="The new ladder; one price without a percent takes all."),
    ],
    side: SideOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Replace the take-profits of main's trade.

    Examples:
      mirrorctl trade target BTCUSDT 63000
      mirrorctl trade target BTCUSDT 62000:85 63000:15
    """
    session = open_session(context, profile, as_json)
    args = {**_target(symbol, side, _WAIT_S), "targets": [amounts.target(text, "target") for text in prices]}
    _ask(session, f"Replace the targets of {args['symbol']} by {' '.join(prices)}", yes)
    _carry_out(session, "trade.target", args)


@app.command()
def cancel(
    context: typer.Context,
    symbol: SymbolArgument,
    order: Annotated[
        str | None,
        typer.Argument(metavar="[ORDER]", help="Order id, its first 8 characters, or link id; none: all our entries."),
    ] = None,
    side: SideOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Cancel our resting entries on main, or one order.

    Examples:
      mirrorctl trade cancel BTCUSDT
      mirrorctl trade cancel BTCUSDT 1f2e3d4c
    """
    session = open_session(context, profile, as_json)
    name = amounts.symbol(symbol)
    _ask(session, f"Cancel {order or 'our entries'} on {name}", yes)
    args = {"symbol": name, "side": amounts.position_side(side), "order": whole_order_id(session, name, order)}
    _carry_out(session, "trade.cancel", args)


def _size(margin: str | None, qty: str | None, notional: str | None, risk: str | None) -> Args:
    options = (("--margin", margin), ("--qty", qty), ("--notional", notional), ("--risk", risk))
    given = [name for name, text in options if text is not None]
    if len(given) != 1:
        found = " and ".join(given) if given else "none"
        allowed = ", ".join(name for name, _ in options)
        raise UsageError(f"the size needs exactly one of {allowed}; found {found}", "--margin 100")
    if margin is not None:
        value, percent = amounts.amount_or_percent(margin, "--margin", "USDT")
        return {"margin_percent" if percent else "margin": value}
    if risk is not None:
        return {"risk_percent": amounts.percent(risk, "--risk")}
    if qty is not None:
        return {"qty": amounts.positive(qty, "--qty")}
    return {"notional": _maybe(notional, "--notional")}


def _maybe(text: str | None, name: str) -> str | None:
    return None if text is None else amounts.positive(text, name)


def _target(symbol: str, side: str | None, wait: str) -> Args:
    return {
        "symbol": amounts.symbol(symbol),
        "side": amounts.position_side(side),
        "wait_s": str(amounts.seconds(wait, "--wait")),
    }


def _ask(session: Session, what: str, yes: bool) -> None:
    check_askable(session, yes)
    confirm(session, what, yes)


def _carry_out(session: Session, name: str, args: Args, *, previews: bool = False) -> None:
    lines = progress_lines(session.terminal, describe)

    def listen(event: Args) -> None:
        if event["event"] != "preview":
            lines(event)
        elif previews and not session.terminal.as_json:
            session.terminal.preview(trade_tables.preview(event["preview"]))

    result = desk.carry_out(session, name, args, listen)
    document = {"schema": SCHEMA, "profile": session.profile.name, **result}
    mirrors = (tables.mirrors(result["mirrors"]),) if result["mirrors"] else ()
    session.terminal.result(document, _headline(result), *trade_tables.notes(result), *mirrors)
    if desk.holder_of(session) is None:
        session.terminal.tell(
            "no daemon runs: nothing is kept or followed from here on; start `mirrorctl run`", "yellow"
        )
    if result.get("refused"):
        raise typer.Exit(PartlyDone.exit_code)


def describe(event: Args) -> str:
    """A progress event of a trade as a line."""
    if event["event"] == "main":
        return f"main: {event['symbol']} order {event['link_id']} {event['state']}"
    if event["event"] == "mirror":
        have = "unknown" if event["have"] is None else event["have"]
        return f"{event['account']}: {tables.follow_state(event)}, holds {have} of {event['want']}"
    return ""


def _headline(result: Args) -> str:
    if result.get("already"):
        return f"main: this client id was used: order {result['already']} is {result['state']}; nothing was sent"
    if result.get("cancelled") == 0:
        return f"main: no entry of ours on {result['symbol']} to cancel"
    if result.get("moved") is False:
        return f"main: {result['symbol']} stop stays at {result['stop']}: breakeven is {result['breakeven']}"
    if "targets" in result:
        ladder = ", ".join(f"{row['percent']}% at {row['price']}" for row in result["targets"])
        return f"main: {result['symbol']} targets {ladder}"
    for done in ("placed", "closed", "reduced", "stop", "cancelled"):
        if done in result:
            return f"main: {result['symbol']} {done} {result[done]}"
    return f"main: {result['symbol']}"
