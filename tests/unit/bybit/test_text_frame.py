"""The frame of an order on the trade socket is the one that the WebSocket library would have made."""

from __future__ import annotations

import pytest
from websocket import ABNF

from mirrorctl.core.bybit.trade_socket import MaskKeys, text_frame

KEY = b"\x01\xfe\x80k"


@pytest.mark.parametrize("length", [0, 1, 3, 125, 126, 127, 281, 65_535, 65_536])
def test_a_frame_is_the_librarys(length: int) -> None:
    payload = (b'{"symbol":"BTCUSDT","qty":"0.001"}' * (length // 34 + 1))[:length]
    theirs = ABNF.create_frame(payload, ABNF.OPCODE_TEXT)
    theirs.get_mask_key = lambda _: KEY
    assert text_frame(payload, KEY) == theirs.format()


def test_every_frame_has_a_mask_of_its_own() -> None:
    keys = MaskKeys()
    taken = [keys.take() for _ in range(3_000)]
    assert {len(key) for key in taken} == {4}
    assert len(set(taken)) > 2_990
