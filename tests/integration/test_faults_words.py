"""`mirrorctl paper fault` as it is typed: every kind is taken, wrong words are refused with what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.cli import main
from mirrorctl.core.paper.fault_catalogue import CATALOGUE, Entry, Lasts
from tests.integration.judge import CREATE, Judge
from tests.integration.stage import Stage

Words = Callable[..., tuple[int, dict[str, Any]]]
SAMPLES = {"code": "10016", "symbol": "BTCUSDT", "rate": "0.0001", "qty": "0.01", "level_value": "2000", "levels": "3"}
ORDER = ("category=linear", "symbol=BTCUSDT", "side=Buy", "orderType=Market", "qty=0.1")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def words(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Words:
    """`mirrorctl paper fault …` in this process: exit code and the document on stdout."""
    monkeypatch.setenv("MIRRORCTL_HOME", str(stage.home))

    def run(*given: str) -> tuple[int, dict[str, Any]]:
        code = main(["paper", "fault", *given, "--profile", str(stage.profile), "--json"])
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code, document

    return run


def args(*pairs: str) -> list[str]:
    return [word for pair in pairs for word in ("--arg", pair)]


def typed(entry: Entry, order_id: str) -> list[str]:
    """The shortest way to ask for a kind."""
    needed = {
        a.name: SAMPLES.get(a.name, order_id if a.name == "order" else "7") for a in entry.arguments if not a.default
    }
    account = ["--account", "main"] if entry.whose.name == "ONE" else []
    if entry.open:
        return [entry.kind, *account, "--target", CREATE, *args(*ORDER)]
    return [entry.kind, *account, *args(*(f"{name}={value}" for name, value in needed.items()))]


def test_every_kind_is_taken_and_what_stands_is_listed_and_cleared(stage: Stage, words: Words) -> None:
    stage.order("main", "Buy", "0.1")
    resting = stage.order("main", "Buy", "0.01", price="50000")
    for entry in CATALOGUE:
        if entry.kind != "liquidation":
            code, document = words(*typed(entry, resting))
            assert (code, document["kind"]) == (0, entry.kind), document
    assert words(*typed(next(e for e in CATALOGUE if e.kind == "liquidation"), ""))[0] == 0
    _, listed = words()
    assert [row["kind"] for row in listed["faults"]] == [e.kind for e in CATALOGUE if e.lasts is not Lasts.NOW]
    assert words("--clear") == (0, {"schema": 1, "profile": "stage", "cleared": True})
    assert words()[1]["faults"] == []


def test_how_often_and_how_long(words: Words) -> None:
    words("refuse", "--count", "3")
    words("refuse", "--forever")
    words("refuse", "--for", "90", "--account", "half")
    words("stream-silent", "--for", "60")
    words("clock-skew", *args("ms=-1500"))
    rows = words()[1]["faults"]
    assert [(row["kind"], row["left"]) for row in rows] == [
        ("refuse", 3),
        ("refuse", None),
        ("refuse", None),
        ("stream-silent", None),
        ("clock-skew", None),
    ]
    assert [row["for_ms"] and round(row["for_ms"] / 10_000) for row in rows] == [None, None, 9, 6, None]
    assert rows[4]["args"] == {"ms": -1500}


def test_what_happens_at_once_is_in_the_books(stage: Stage, words: Words) -> None:
    judge = Judge(stage)
    _, placed = words("call", "--account", "half", "--target", CREATE, *args(*ORDER))
    assert placed["answer"]["retCode"] == 0
    assert judge.held("half") == {"BTCUSDT": Decimal("0.1")}
    assert words("adl", "--account", "half", *args("symbol=BTCUSDT", "qty=0.04"))[1]["answer"] == {"closed": "0.04"}
    words("funding", *args("symbol=BTCUSDT", "rate=0.01"))
    stage.order("half", "Buy", "0.02", price="59000", orderLinkId="by-hand")
    assert words("fill", "--account", "half", *args("order=by-hand", "qty=0.005"))[1]["answer"] == {"filled": "0.005"}
    assert words("fill", "--account", "half", *args("order=by-hand"))[1]["answer"] == {"filled": "0.015"}
    assert judge.path("half", "BTCUSDT") == [Decimal(size) for size in ("0.1", "0.06", "0.065", "0.08")]
    words("liquidation", "--account", "half")
    assert judge.held("half") == {}


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("melt",), 2, 'KIND: found "melt"; allowed: lose-reply | lose-request'),
        (("hang", *args("s=1")), 2, 'argument: found "s"; allowed: ms'),
        (("hang", *args("ms")), 2, '--arg: found "ms"; allowed: KEY=VALUE'),
        (("ret-code",), 2, "argument: ret-code needs code"),
        (("hang", "--target", "order"), 2, 'target: found "order"; allowed: /v5/'),
        (("liquidation",), 2, "account: liquidation needs one"),
        (("refuse", "--account", "nobody"), 2, "nobody"),
        (("funding", *args("symbol=BTCUSDT", "rate=1"), "--count", "2"), 2, "funding takes place at once"),
        (("stream-silent", "--count", "2"), 2, "until it is cleared"),
        (("refuse", "--count", "2", "--forever"), 2, "one of --count, --for and --forever"),
        (("--clear", "refuse"), 2, "--clear takes nothing else"),
        (("--count", "2"), 2, "give a KIND"),
        (("fill", "--account", "half", *args("order=none")), 2, "order is not resting"),
        (("funding", *args("symbol=NOUSDT", "rate=1")), 2, "unknown symbol NOUSDT"),
        (("adl", "--account", "half", *args("symbol=BTCUSDT", "qty=1")), 2, "no position of BTCUSDT"),
        (("call", "--account", "half", "--target", CREATE, *args("category=linear")), 4, "10001"),
    ],
)
def test_what_cannot_be_is_refused_with_what_is_allowed(
    words: Words, given: tuple[str, ...], code: int, said: str
) -> None:
    ended, document = words(*given)
    assert (ended, document["error"]["exit_code"]) == (code, code)
    assert said in document["error"]["message"]
    assert words()[1]["faults"] == []
