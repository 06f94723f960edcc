"""Sizing through the real program: values for one trade, ratios made anew, money paid in; and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrorctl import cli
from tests.cli.conftest import Program

PROFILE = """\
schema = 1
name = "paper"
environment = "paper"
[[mirrors]]
name = "mirror"
[mirrors.sizing]
mode = "equity"
[[mirrors]]
name = "second"
[mirrors.sizing]
value = "25%"
"""
OPEN = ("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--stop", "50000")


@pytest.fixture(scope="module")
def trader(trader: Program) -> Program:
    """The trader's own profile by the default's name."""
    folder = trader.home / "config" / "profiles"
    folder.mkdir(parents=True)
    (folder / "paper.toml").write_text(PROFILE)
    return trader


def sizes(program: Program) -> dict[str, list[str]]:
    accounts = program("positions", "--json").document["accounts"]
    return {account["account"]: [row["qty"] for row in account["positions"]] for account in accounts}


@pytest.mark.usefixtures("daemon")
def test_one_trade_of_its_own_kind_and_ratios_made_anew(trader: Program) -> None:
    shown = trader(*OPEN, "--mirror", "second=50%", "--dry-run")
    assert shown.code == 0
    assert "mirror: equity: r = 1 × 10000 ÷ 10000 = 1" in shown.out
    assert "second: proportion: r = 0.5" in shown.out
    assert trader(*OPEN, "--mirror", "second=50%").code == 0
    assert sizes(trader) == {"main": ["0.02"], "mirror": ["0.02"], "second": ["0.01"]}
    late = trader(*OPEN, "--no-mirror", "second", "--json")
    assert (late.code, late.error["kind"]) == (2, "usage")
    assert "second follows main's long BTCUSDT already" in late.error["message"]

    paid = trader("paper", "deposit", "mirror", "10000", "--json")
    assert (paid.code, paid.document["amount"]) == (0, "10000")
    assert trader("paper", "deposit", "main", "-1").code == 0
    assert trader("sync", "--dry-run").code == 0, "a deposit changes no open cycle"
    looked = trader("sync", "--rebase", "--dry-run", "--json")
    assert looked.code == 3
    rows = {row["account"]: row for row in looked.document["rebase"]}
    assert rows["mirror"]["from"].startswith("1.0000")
    assert rows["mirror"]["to"].startswith("2.000")
    assert rows["second"]["from"] == rows["second"]["to"] == "0.5"
    assert [(row["account"], row["qty"]) for row in looked.document["plan"]] == [("mirror", "0.02")]
    assert sizes(trader)["mirror"] == ["0.02"]
    done = trader("sync", "BTCUSDT", "--rebase")
    assert done.code == 0
    assert "new r" in done.out
    assert "every account is in step" in done.out
    assert sizes(trader) == {"main": ["0.02"], "mirror": ["0.04"], "second": ["0.01"]}
    again = trader("sync", "--rebase", "--dry-run")
    found = trader("sync", "--rebase", "--dry-run", "--json").document
    changes = any(row["from"] != row["to"] for row in found["rebase"])
    assert again.code == (3 if found["plan"] else 0), "a plan without actions exits 0, whatever the ratios"
    assert ("nothing to send, but " if changes else "nothing to do") in again.out


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    monkeypatch.delenv("MIRRORCTL_PROFILE", raising=False)
    return tmp_path


@pytest.mark.proves("A74")
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([*OPEN, "--mirror", "second"], '--mirror: found "second"; allowed: NAME=VALUE'),
        ([*OPEN, "--mirror", "second="], '--mirror: found "second="; allowed: NAME=VALUE'),
        ([*OPEN, "--mirror", "second=much"], '--mirror: found "much"'),
        ([*OPEN, "--mirror", "second=0"], '--mirror: found "0"'),
        (["paper", "deposit", "main", "0"], 'AMOUNT: found "0"; allowed: a number other than 0'),
        (["paper", "deposit", "main", "1e3"], 'AMOUNT: found "1e3"'),
        (["paper", "deposit", "nobody", "-5"], 'has no account "nobody"'),
    ],
)
def test_a_slip_of_the_hand_says_what_is_allowed(
    args: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(list(args)) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_a_profile_with_a_value_of_another_unit_is_refused_by_check(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "wrong.toml"
    path.write_text(PROFILE.replace('mode = "equity"', 'mode = "risk"\nvalue = "150"'))
    assert cli.main(["profile", "check", str(path)]) == 2
    assert 'mirrors[0].sizing.value (mirror "mirror"): found "150" for mode risk' in capsys.readouterr().err
