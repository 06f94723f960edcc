"""What can be made to go wrong on the paper exchange, as data: every kind, its target and its arguments.

The command line, the admin routes and the documentation read it; nothing else says what is allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mirrorctl.core.paper.api import PRIVATE, PUBLIC
from mirrorctl.core.paper.decimals import parse
from mirrorctl.core.paper.refusals import bad

PRIVATE_STREAM = "/v5/private"
TRADE_STREAM = "/v5/trade"
TOPICS = ("execution", "order", "position", "wallet")
_LAGGING = ("/v5/execution/list", "/v5/order/history", "/v5/order/realtime")
_LISTS = tuple(sorted(path for method, path in (*PUBLIC, *PRIVATE) if method == "GET"))
_PATHS = tuple(sorted({path for _, path in (*PUBLIC, *PRIVATE)}))
_BUCKETS = tuple(sorted(path for _, path in PRIVATE))


_CUTS = {"stream-close": "close", "stream-reset": "rst"}


class Shape(Enum):
    """What an argument's value looks like; the words are for people."""

    INTEGER = "a whole number"
    COUNT = "a whole number, not negative"
    NUMBER = "a decimal number"
    AMOUNT = "a decimal number above 0"
    FLAG = "true or false"
    TEXT = "text"


class Lasts(Enum):
    """How long a fault lasts; the words are for people."""

    USES = "once, N times with --count, --for S seconds, or --forever"
    STANDS = "until it is cleared, or --for S seconds"
    NOW = "at once"


class Whose(Enum):
    """Whether a fault is for one account."""

    ANY = "one account, or every one"
    ONE = "one account"
    ALL = "every account"


@dataclass(frozen=True, slots=True)
class Argument:
    """One KEY=VALUE. `default` in words; empty where the argument is needed."""

    name: str
    shape: Shape
    meaning: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind. `targets` are the paths or topics that it may be narrowed to, empty: it takes none.

    `route`: the admin route of what happens at once. `open`: takes arguments of any name besides.
    """

    kind: str
    group: str
    says: str
    arguments: tuple[Argument, ...] = ()
    targets: tuple[str, ...] = ()
    lasts: Lasts = Lasts.USES
    whose: Whose = Whose.ANY
    route: str = ""
    open: bool = False


def _ms(meaning: str, default: str) -> Argument:
    return Argument("ms", Shape.COUNT, meaning, default)


_REQUESTS, _READS, _PUSHES, _STREAMS, _EVENTS = "requests", "reads", "pushes", "streams and clock", "events"
_SYMBOL = Argument("symbol", Shape.TEXT, "contract, such as BTCUSDT")
_AFTER = Argument("after", Shape.FLAG, "carried out first, then answered so", "false")

CATALOGUE = (
    Entry(
        "lose-reply",
        _REQUESTS,
        "Carried out; the connection closes without an answer.",
        (Argument("open", Shape.FLAG, "over WebSocket: the connection stays open", "false"),),
        _PATHS,
    ),
    Entry("lose-request", _REQUESTS, "Not carried out; the connection closes without an answer.", (), _PATHS),
    Entry(
        "hang",
        _REQUESTS,
        "Not carried out; silence, then the connection closes.",
        (_ms("of silence", "30000"),),
        _PATHS,
    ),
    Entry(
        "refuse", _REQUESTS, "Not carried out; the connection is reset.", (), (*_PATHS, PRIVATE_STREAM, TRADE_STREAM)
    ),
    Entry(
        "event-first",
        _REQUESTS,
        "Carried out; its pushes arrive before the answer.",
        (_ms("from pushes to answer", "50"),),
        _PATHS,
    ),
    Entry(
        "ret-code",
        _REQUESTS,
        "Answered with a code of Bybit's.",
        (
            Argument("code", Shape.INTEGER, "retCode, such as 10016"),
            Argument("message", Shape.TEXT, "retMsg", "empty"),
            Argument("reset_ms", Shape.INTEGER, "limit headers: from now to the reset, may be past", "no limit"),
            _AFTER,
        ),
        _PATHS,
    ),
    Entry(
        "http-status",
        _REQUESTS,
        "Answered with an HTTP status and no envelope.",
        (
            Argument("status", Shape.COUNT, "HTTP status", "502"),
            Argument("body", Shape.TEXT, "what comes with it", "a page of HTML"),
            _AFTER,
        ),
        _PATHS,
    ),
    Entry(
        "rate-limit",
        _REQUESTS,
        "The bucket of an endpoint holds less than Bybit's; over it 10006 with true headers.",
        (Argument("limit", Shape.COUNT, "requests a second", "0"),),
        _BUCKETS,
        Lasts.STANDS,
    ),
    Entry(
        "ip-cap",
        _REQUESTS,
        "An address may send less than Bybit's 600 in 5 s; over it HTTP 403, and a ban.",
        (Argument("requests", Shape.COUNT, "in five seconds", "0"), _ms("of the ban", "600000")),
        (),
        Lasts.STANDS,
        Whose.ALL,
    ),
    Entry(
        "hide",
        _READS,
        "Young rows are missing, as when a read lags.",
        (_ms("that a row stays hidden", "5000"),),
        _LAGGING,
    ),
    Entry(
        "truncate",
        _READS,
        "A list is cut short and claims to be complete.",
        (Argument("keep", Shape.COUNT, "rows that stay", "half"),),
        _LISTS,
    ),
    Entry("empty", _READS, "A list is empty and claims to be complete.", (), _LISTS),
    Entry("stale", _READS, "A read gives its earlier answer again.", (), _LISTS),
    Entry("push-drop", _PUSHES, "A push is lost.", (), TOPICS),
    Entry("push-double", _PUSHES, "A push comes twice.", (), TOPICS),
    Entry("push-reorder", _PUSHES, "A push comes after the next one.", (), TOPICS),
    Entry("push-stale", _PUSHES, "The push before comes again.", (), TOPICS),
    Entry("double-filled", _PUSHES, "A filled order is told twice, as after a cancel that came too late."),
    Entry("stream-silent", _STREAMS, "Streams stay open and say nothing.", lasts=Lasts.STANDS),
    Entry("stream-refuse", _STREAMS, "A new stream is reset."),
    Entry("stream-close", _STREAMS, "Streams end with a close frame.", lasts=Lasts.NOW, route="/paper/disconnect"),
    Entry("stream-reset", _STREAMS, "Streams are reset.", lasts=Lasts.NOW, route="/paper/disconnect"),
    Entry(
        "clock-skew",
        _STREAMS,
        "The exchange's clock is ahead of the true one.",
        (Argument("ms", Shape.INTEGER, "ahead; negative: behind"),),
        (),
        Lasts.STANDS,
        Whose.ALL,
    ),
    Entry(
        "funding",
        _EVENTS,
        "Funding is settled on every position of a contract.",
        (_SYMBOL, Argument("rate", Shape.NUMBER, "paid by longs; negative: by shorts")),
        (),
        Lasts.NOW,
        Whose.ALL,
        "/paper/funding",
    ),
    Entry("liquidation", _EVENTS, "The whole account is liquidated.", (), (), Lasts.NOW, Whose.ONE, "/paper/liquidate"),
    Entry(
        "adl",
        _EVENTS,
        "A position is reduced by auto-deleveraging.",
        (
            _SYMBOL,
            Argument("qty", Shape.AMOUNT, "to close"),
            Argument("position_idx", Shape.COUNT, "leg: 0 one-way, 1 long, 2 short", "0"),
        ),
        (),
        Lasts.NOW,
        Whose.ONE,
        "/paper/adl",
    ),
    Entry(
        "fill",
        _EVENTS,
        "A resting order fills at its price, in part or in full.",
        (
            Argument("order", Shape.TEXT, "order id or order link id"),
            Argument("qty", Shape.AMOUNT, "to fill", "all that is left"),
        ),
        (),
        Lasts.NOW,
        Whose.ONE,
        "/paper/fill",
    ),
    Entry(
        "depth",
        _EVENTS,
        "A thinner or deeper order book: market and IOC orders fill in part.",
        (
            _SYMBOL,
            Argument("level_value", Shape.AMOUNT, "USDT at the best price"),
            Argument("levels", Shape.COUNT, "prices on each side"),
        ),
        (),
        Lasts.NOW,
        Whose.ALL,
        "/paper/depth",
    ),
    Entry(
        "call",
        _EVENTS,
        "A V5 call by hand, as in the phone app: past keys, limits and faults.",
        (Argument("method", Shape.TEXT, "GET or POST", "POST"),),
        _PATHS,
        Lasts.NOW,
        Whose.ONE,
        "/paper/call",
        open=True,
    ),
    Entry(
        "forget-closed",
        _EVENTS,
        "A restart of the service: realtime forgets closed orders.",
        (),
        (),
        Lasts.NOW,
        Whose.ALL,
        "/paper/closed-cache/clear",
    ),
)
BY_KIND = {entry.kind: entry for entry in CATALOGUE}


def find(kind: str) -> Entry:
    """The entry of a kind; refuses with what is allowed."""
    if kind not in BY_KIND:
        raise bad(f'KIND: found "{kind}"; allowed: {" | ".join(BY_KIND)}')
    return BY_KIND[kind]


def check(entry: Entry, account: str | None, target: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the exchange takes them; refuses what the kind does not take, or needs and has not."""
    if account is None and entry.whose is Whose.ONE:
        raise bad(f"account: {entry.kind} needs one")
    if account is not None and entry.whose is Whose.ALL:
        raise bad(f'account: found "{account}"; {entry.kind} is for every account')
    public = entry.targets is TOPICS and "." in target
    if target and target not in entry.targets and not public:
        allowed = " | ".join(entry.targets) or f"none, {entry.kind} takes no target"
        raise bad(f'target: found "{target}"; allowed: {allowed}')
    if entry.kind == "call" and not target:
        raise bad("target: call needs the path, such as /v5/order/create")
    known = {argument.name: argument for argument in entry.arguments}
    for name in args:
        if name not in known and not entry.open:
            raise bad(f'argument: found "{name}"; allowed: {" | ".join(known) or f"none, {entry.kind} takes none"}')
    for argument in entry.arguments:
        if not argument.default and argument.name not in args:
            raise bad(f"argument: {entry.kind} needs {argument.name}: {argument.meaning}")
    return {name: _value(name, value, known[name].shape if name in known else None) for name, value in args.items()}


def _value(name: str, value: Any, shape: Shape | None) -> Any:
    if shape is None:  # a parameter of a call: what is no flag is text
        return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if shape is Shape.TEXT and isinstance(value, str) and value:
        return value
    if shape is Shape.FLAG and value in (True, False, "true", "false"):
        return value in (True, "true")
    number = parse(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    if number is not None:
        if shape is Shape.NUMBER or (shape is Shape.AMOUNT and number > 0):
            return str(value)
        if number == int(number) and (shape is Shape.INTEGER or (shape is Shape.COUNT and number >= 0)):
            return int(number)
    raise bad(f'{name}: found "{value}"; allowed: {shape.value}')


def at_once(entry: Entry, account: str | None, target: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """The body for the route of a kind that happens at once; `args` as `check` gave them."""
    body: dict[str, Any] = {} if account is None else {"account": account}
    if entry.open:
        named = {argument.name for argument in entry.arguments}
        params = {name: value for name, value in args.items() if name not in named}
        return (
            body | {name: value for name, value in args.items() if name in named} | {"path": target, "params": params}
        )
    if entry.kind in _CUTS:
        return body | {"how": _CUTS[entry.kind]}
    return body | dict(args)


def lasting(entry: Entry, count: int | None) -> int | None:
    """How often a fault strikes: its count where it is used up; None, until cleared, where it stands."""
    if entry.lasts is Lasts.STANDS:
        return None
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise bad(f'count: found "{count}"; allowed: a whole number above 0, or null: until cleared')
    return count
