"""What a mirror should hold, told without a daemon: by its lens, and unknown where only a daemon can tell."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.commands.wants import followed_size
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.lens import PLAIN, Lens
from mirrorctl.core.domain.policy import Hedge, MappedSymbol
from mirrorctl.core.domain.values import PositionSide

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
BTC, ETH = "BTCUSDT", "ETHUSDT"
MAPPED = Lens(map={BTC: MappedSymbol(ETH, Decimal(20))})
PLAINLY = Copy("mirror", BTC, LONG, "tag", Decimal(1), "")


@pytest.mark.parametrize(
    ("copy", "lens", "size"),
    [
        (PLAINLY, PLAIN, "0.2"),
        (replace(PLAINLY, side=SHORT, follows=(BTC, LONG)), Lens(reverse=True), "0.2"),
        (replace(PLAINLY, symbol=ETH, follows=(BTC, LONG)), MAPPED, "4"),
        (replace(PLAINLY, side=SHORT), Lens(hedge=Hedge.NET), "0"),
        (PLAINLY, Lens(reverse=True), None),  # the profile was edited: it followed another side
    ],
)
def test_what_is_followed_of_mains_long(copy: Copy, lens: Lens, size: str | None) -> None:
    found = followed_size(copy, {(BTC, LONG): Decimal("0.2")}, lens)
    assert found == (None if size is None else Decimal(size))


def test_of_two_legs_only_a_daemon_can_tell() -> None:
    held = {(BTC, LONG): Decimal("0.2"), (BTC, SHORT): Decimal("0.1")}
    assert followed_size(PLAINLY, held, Lens(hedge=Hedge.NET)) is None
    assert followed_size(PLAINLY, held, PLAIN) == Decimal("0.2")
