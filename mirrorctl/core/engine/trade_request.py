"""What the trader asks for on the command line, as values. Nothing is checked against the exchange here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.values import PositionSide

_SIZES = ("margin", "margin_percent", "qty", "notional", "risk_percent")


@dataclass(frozen=True, slots=True)
class TargetWish:
    """One `PRICE[:PERCENT]`. `percent` None: from the approach, or 100 where it is the only one."""

    price: Decimal
    percent: Decimal | None = None

    def __str__(self) -> str:
        return plain(self.price) if self.percent is None else f"{plain(self.price)}:{plain(self.percent)}"


@dataclass(frozen=True, slots=True)
class MirrorWish:
    """One `--mirror NAME=VALUE` or `--no-mirror NAME` (`value` None). `percent`: the value was written with a %."""

    name: str
    value: Decimal | None = None
    percent: bool = False

    def __str__(self) -> str:
        if self.value is None:
            return f"without {self.name}"
        return f"mirror {self.name}={plain(self.value)}{'%' if self.percent else ''}"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """What `trade open` asks for. Exactly one of margin, margin_percent, qty, notional and risk_percent is given.

    `risk_percent`: percent of main's equity lost from the mean entry to the stop. `approach` "": from the targets.
    """

    symbol: str
    side: PositionSide
    margin: Decimal | None = None
    margin_percent: Decimal | None = None
    qty: Decimal | None = None
    notional: Decimal | None = None
    risk_percent: Decimal | None = None
    leverage: Decimal | None = None
    entries: tuple[Decimal, ...] = ()
    stop: Decimal | None = None
    targets: tuple[TargetWish, ...] = ()
    approach: str = ""
    client_id: str = ""
    wait_s: Decimal = Decimal(5)
    mirrors: tuple[MirrorWish, ...] = ()

    def __str__(self) -> str:
        """The request in words, without what does not change the trade."""
        words = [self.symbol, self.side.value, *self._named(*_SIZES)]
        words += [f"entry {plain(price)}" for price in self.entries]
        words += self._named("leverage", "stop")
        words += [f"target {wish}" for wish in self.targets]
        words += [str(wish) for wish in self.mirrors]
        return " ".join([*words, f"approach {self.approach}"] if self.approach else words)

    def _named(self, *names: str) -> list[str]:
        return [f"{name} {plain(value)}" for name in names if (value := getattr(self, name)) is not None]


def open_request(args: Mapping[str, Any]) -> OpenRequest:
    """The request behind the arguments of `trade.open`, all of them plain text."""
    return OpenRequest(
        symbol=args["symbol"],
        side=PositionSide(args["side"]),
        **{name: number(args.get(name)) for name in (*_SIZES, "leverage", "stop")},
        entries=tuple(Decimal(text) for text in args.get("entries") or ()),
        targets=target_wishes(args.get("targets") or ()),
        approach=args.get("approach") or "",
        client_id=args.get("client_id") or "",
        wait_s=number(args.get("wait_s")) or Decimal(0),
        mirrors=tuple(mirror_wishes(args.get("mirrors") or (), args.get("without") or ())),
    )


def mirror_wishes(rows: Iterable[Mapping[str, Any]], without: Iterable[str]) -> Iterator[MirrorWish]:
    """Wishes for single mirrors as they come over the socket: {"name", "value", "percent"}, and names."""
    for row in rows:
        yield MirrorWish(row["name"], Decimal(row["value"]), bool(row.get("percent")))
    for name in without:
        yield MirrorWish(name)


def target_wishes(rows: Iterable[Mapping[str, str | None]]) -> tuple[TargetWish, ...]:
    """Targets as they come over the socket: {"price", "percent"}."""
    return tuple(TargetWish(Decimal(row["price"] or "0"), number(row.get("percent"))) for row in rows)


def number(text: str | None) -> Decimal | None:
    """A decimal from its text; None for what was not given."""
    return None if text is None else Decimal(text)
