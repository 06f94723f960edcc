"""`demo`: the main job, start to finish, with no keys and nobody at a terminal."""

from __future__ import annotations

from tests.cli.conftest import Program


def test_the_demo_converges_and_says_what_it_saw(program: Program) -> None:
    done = program("demo", "--json", env={"MIRRORCTL_PROFILE": "mainnet", "ENABLE_MIRROR_TRADING": "false"})
    assert (done.code, done.err) == (0, "")
    document = done.document
    assert document["converged"] is True
    assert float(document["seconds"]) < 30
    rows = [(row["account"], row["want_qty"], row["have_qty"], row["in_step"]) for row in document["accounts"]]
    assert rows == [("main", "0", "0", None), ("mirror", "0", "0", True), ("second", "0", "0", True)]
    assert all(row["latency_ms"]["p50"] <= row["latency_ms"]["max"] for row in document["accounts"][1:])
    told = [(event["account"], event["text"]) for event in document["events"]]
    for fact in (
        ("mirror", "long 0.041 BTCUSDT from 60000.1, stop 57000"),
        ("second", "long 0.02 BTCUSDT from 60000.1, stop 57000"),
        ("second", "1 limit order rests"),
        ("mirror", "flat, 0 open orders"),
    ):
        assert fact in told
    assert any(account == "second" and text.startswith("back in step") for account, text in told)
    assert not any(program.home.iterdir())
