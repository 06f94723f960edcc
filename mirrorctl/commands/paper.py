"""`paper`: the embedded exchange by hand."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import typer

from mirrorctl.commands import amounts, choices, desk, logs, tables
from mirrorctl.commands.help_pages import Commands
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.commands.signals import stopping_on_signals
from mirrorctl.core.domain.errors import Refused, Rejected, Unavailable, UsageError
from mirrorctl.core.paper import fault_catalogue
from mirrorctl.core.paper.fault_catalogue import Lasts
from mirrorctl.core.paper.instruments import CATALOGUE
from mirrorctl.core.paper.refusals import Refusal
from mirrorctl.core.profile.model import Environment

_HELP = """The paper exchange: serve it, set prices, break things.

Examples:
  mirrorctl paper price BTCUSDT 60000
  mirrorctl paper deposit main 1000
  mirrorctl paper fault lose-reply --account mirror
"""

app = Commands(no_args_is_help=True, help=_HELP)

_TIMEOUT_S = 5.0

Body = dict[str, Any]
T = TypeVar("T")


def _help_of(entry: fault_catalogue.Entry) -> str:
    """One line of `fault --help`."""
    words = [entry.kind, *(f"{a.name}=…" if not a.default else f"\\[{a.name}]" for a in entry.arguments)]
    if entry.open:
        words.append("PARAMETER=VALUE…")
    return f"[bold]{' '.join(words)}[/bold]: {entry.says}"


def _epilog() -> str:
    """Every kind under what it lasts, for `fault --help`."""
    groups = []
    for lasts in Lasts:
        rows = [_help_of(entry) for entry in fault_catalogue.CATALOGUE if entry.lasts is lasts]
        groups.append("\n".join([f"{lasts.value[0].upper()}{lasts.value[1:]}:", *rows]))
    return "\n\n".join(groups)


EPILOG = _epilog()


@app.command()
def serve(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(metavar="N", help="Port on loopback. Default: a free one.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the price walk.")] = 1,
    volatility: Annotated[
        str, typer.Option(metavar="X", help="Standard deviation of the price walk per second; 0 stops it.")
    ] = "0.0001",
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Serve the paper exchange alone until Ctrl-C; its state stays in its file.

    Example: mirrorctl paper serve --port 8790
    """
    from mirrorctl.bootstrap.paper import find_paper, start_paper, stop_paper

    session = _open(context, profile, as_json)
    found = session.profile
    walk = Decimal(0) if not volatility.strip("0.") else Decimal(amounts.positive(volatility, "--volatility"))
    running = find_paper(found, session.home)
    if running is not None:
        raise Refused(
            f"the paper exchange of profile {found.name} runs already: process {running.pid} at {running.rest}",
            f"use that one, or stop it first (kill {running.pid})",
        )
    logs.to_file(session.home.log_path(found.name))
    stop = threading.Event()
    with stopping_on_signals(stop.set) as signals:
        wanted = port if port is not None else (urlsplit(found.endpoints.rest or "").port or 0)
        server = start_paper(found, session.home, port=wanted, seed=seed, volatility=walk)
        try:
            signals.loop_runs = True
            session.terminal.announce(f"ready: {server.rest_url}")
            stop.wait()
        finally:
            stop_paper(server, found, session.home)
    if as_json:
        session.terminal.result({"schema": SCHEMA, "profile": found.name, "served": server.rest_url})


@app.command()
def price(
    context: typer.Context,
    symbol: Annotated[
        str, typer.Argument(metavar="SYMBOL", help="For example BTCUSDT.", autocompletion=choices.symbols)
    ],
    to: Annotated[str | None, typer.Argument(metavar="[PRICE]", help="Trades through everything on the way.")] = None,
    gap: Annotated[bool, typer.Option("--gap", help="Jump there: nothing trades on the way.")] = False,
    release: Annotated[bool, typer.Option("--release", help="Let the price walk again.")] = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Set a price and hold it there, or let it go.

    Example: mirrorctl paper price BTCUSDT 58900
    """
    session = _open(context, profile, as_json)
    if (to is None) != release or (release and gap):
        raise UsageError("give a price, or --release alone", "mirrorctl paper price BTCUSDT 58900")
    name = amounts.symbol(symbol)
    body: Body = {"symbol": name, "release": True}
    if to is not None:
        body = {"symbol": name, "price": amounts.positive(to, "price"), "pin": True, "gap": gap}
    _post(session, "/paper/price", body, f"it lists {', '.join(item.symbol for item in CATALOGUE)}")
    _done(session, body, f"{name}: released" if release else f"{name}: {body['price']}, held there")


@app.command(context_settings={"ignore_unknown_options": True})  # an amount may begin with a minus
def deposit(
    context: typer.Context,
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="main, or the name of a mirror.", autocompletion=choices.accounts)
    ],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="USDT to pay in; negative: to pay out.")],
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Pay USDT into an account, or out of it with a negative amount.

    Example: mirrorctl paper deposit main 1000
    """
    session = _open(context, profile, as_json)
    body: Body = {"account": account, "amount": amounts.signed(amount, "AMOUNT")}
    session.check_account(account)
    answer = _post(session, "/paper/deposit", body, "`mirrorctl balance` shows what is available")
    _done(session, {**body, **answer}, f"{account}: wallet balance {answer['balance']} USDT")


@app.command()
def reset(context: typer.Context, as_json: JsonOption = False, profile: ProfileOption = None) -> None:
    """Begin anew: first balances, no positions, orders, faults, trades or history. Stop the daemon before.

    Example: mirrorctl paper reset
    """
    from mirrorctl.bootstrap.paper import clear_paper, clear_store, find_paper
    from mirrorctl.core.store.locks import Holder, LockDirectory

    session = _open(context, profile, as_json)
    holder = desk.holder_of(session)
    if holder is not None:  # an exchange never forgets a position: a daemon would go on from what it saw before
        raise Refused(
            f"process {holder.pid} (`mirrorctl {holder.command}`) follows these accounts: nothing was reset",
            "stop it first, and start it again afterwards",
        )
    found, home = session.profile, session.home
    us = Holder(pid=os.getpid(), profile=found.name, command="paper reset", since=now_text())
    with LockDirectory(home.locks_dir).lock_profile(found.name, us):
        if found.embedded_paper and find_paper(found, home) is None:
            clear_paper(found, home)
        else:
            _post(session, "/paper/reset", {})
            _end_silence(session)
        clear_store(found, home)
    _done(session, {"reset": True}, "the paper exchange begins anew")


@app.command(epilog=EPILOG)
def fault(
    context: typer.Context,
    kind: Annotated[
        str | None,
        typer.Argument(metavar="[KIND]", help="What goes wrong; see below.", autocompletion=choices.fault_kinds),
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="One account only.", autocompletion=choices.accounts)
    ] = None,
    target: Annotated[str, typer.Option(metavar="PATH|TOPIC", help="One path or topic only.")] = "",
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="How often it strikes. Default: 1.")] = None,
    seconds: Annotated[str | None, typer.Option("--for", metavar="S", help="For so many seconds.")] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Until it is cleared.")] = False,
    arg: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="What the kind takes, see below; repeatable.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take every fault down, and end every ban.")] = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Make something go wrong; without KIND list what stands.

    Example: mirrorctl paper fault ret-code --account mirror --target /v5/order/create --arg code=110007
    """
    session = _open(context, profile, as_json)
    lasts = [count is not None, seconds is not None, forever]
    if (clear or kind is None) and (any(lasts) or account or target or arg or (clear and kind)):
        what = "--clear takes nothing else" if clear else "give a KIND"
        raise UsageError(what, "mirrorctl paper fault --clear" if clear else "mirrorctl paper fault refuse")
    if sum(lasts) > 1:
        raise UsageError("give one of --count, --for and --forever", "how often, for how long, or until it is cleared")
    if clear:
        _post(session, "/paper/fault/clear", {})
        _end_silence(session)
        _done(session, {"cleared": True}, "no fault stands")
    elif kind is None:
        rows = _request(session, "GET", "/paper/fault", None)["list"]
        session.terminal.result({"schema": SCHEMA, "faults": rows}, tables.faults(rows) if rows else "no fault stands")
    else:
        if account is not None:
            session.check_account(account)
        for_ms = None if seconds is None else int(amounts.seconds(seconds, "--for") * 1000)
        _break(
            session, Wish(kind, account, target, dict(_argument(text) for text in arg or ())), count, for_ms, forever
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants to go wrong, as it was typed."""

    kind: str
    account: str | None
    target: str
    args: dict[str, str]


def _break(session: Session, wish: Wish, count: int | None, for_ms: int | None, forever: bool) -> None:
    """Put the fault up, or let it happen."""
    entry = _checked(fault_catalogue.find, wish.kind)
    args = _checked(fault_catalogue.check, entry, wish.account, wish.target, wish.args)
    if entry.lasts is not Lasts.USES and (count is not None or (entry.lasts is Lasts.NOW and (for_ms or forever))):
        raise UsageError(
            f"{entry.kind} takes place {entry.lasts.value}: no --count, --for or --forever", "leave that option out"
        )
    if entry.lasts is Lasts.NOW:
        answer = _post(session, entry.route, fault_catalogue.at_once(entry, wish.account, wish.target, args))
        if answer.get("retCode"):
            hint = "`mirrorctl positions` and `orders` show what there is to break"
            raise Rejected(f"{wish.target}: {answer['retMsg']} ({answer['retCode']})", hint, int(answer["retCode"]))
        document = {"kind": entry.kind, "account": wish.account, "target": wish.target, "args": args, "answer": answer}
        _done(session, document, f"{entry.kind}: {_told(answer)}")
        return
    body: Body = {"kind": entry.kind, "account": wish.account, "target": wish.target, "args": args}
    body["count"] = None if forever or for_ms is not None or entry.lasts is Lasts.STANDS else count or 1
    if for_ms is not None:
        body["for_ms"] = for_ms
    answer = _post(session, "/paper/fault", body)
    _done(session, {**body, **answer}, f"fault {answer['id']} stands: {entry.kind}")


def _checked(check: Callable[..., T], *args: object) -> T:
    """What a check of the catalogue gives; its refusal as an error of the command line."""
    try:
        return check(*args)
    except Refusal as refusal:
        raise UsageError(refusal.message, "mirrorctl paper fault --help") from None


def _told(answer: Body) -> str:
    """The answer of something that happened at once, in a line."""
    shown = answer.get("result") or {} if "retCode" in answer else answer
    return ", ".join(f"{name} {value}" for name, value in shown.items() if isinstance(value, (str, int))) or "done"


def _open(context: typer.Context, profile: str | None, as_json: bool) -> Session:
    session = open_session(context, profile, as_json)
    if session.profile.environment is not Environment.PAPER:
        raise UsageError(
            f"the profile {session.profile.name} is {session.profile.environment}, not paper",
            "choose a paper profile with -p, such as -p paper",
        )
    return session


def _argument(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UsageError(f'--arg: found "{text}"; allowed: KEY=VALUE, such as code=110007')
    return key, value


def _post(session: Session, path: str, body: Body, hint: str = "") -> Body:
    return _request(session, "POST", path, body, hint)


def _request(session: Session, method: str, path: str, body: Body | None, hint: str = "") -> Body:
    import requests

    from mirrorctl.bootstrap.accounts import endpoints_of

    base = endpoints_of(session.profile, session.home).rest
    with requests.Session() as http:
        http.trust_env = False
        try:
            response = http.request(method, base + path, json=body, timeout=_TIMEOUT_S)
            answer: Body = response.json()
        except requests.RequestException as error:
            raise Unavailable(
                f"the paper exchange at {base} does not answer: {type(error).__name__}",
                "start it with `mirrorctl paper serve` or `mirrorctl run`",
            ) from error
    if response.status_code != requests.codes.ok:
        raise UsageError(f"the paper exchange refused: {answer.get('error', response.status_code)}", hint)
    return answer


def _end_silence(session: Session) -> None:
    """Its bans are over: nobody has to wait for the ten minutes that Bybit would ask for."""
    from mirrorctl.bootstrap.accounts import endpoints_of, silence_of

    silence_of(endpoints_of(session.profile, session.home), session.home).clear()


def _done(session: Session, document: Body, text: str) -> None:
    session.terminal.result({"schema": SCHEMA, "profile": session.profile.name, **document}, text)
