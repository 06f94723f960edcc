"""`history --verify`: exit 0 for a journal as it was written, 3 with the first place where it is not."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.cli import main
from mirrorctl.core.domain.actions import CancelOrder
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.profile.catalogue import find_home
from mirrorctl.core.store.database import Database
from mirrorctl.core.store.migrations import MIGRATIONS, migrate
from mirrorctl.core.store.sqlite import SqliteStore

AT = 1_767_323_045_678
CANCEL = CancelOrder("mirror", "BTCUSDT", "order-9", "", "main cancelled it")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the store of the profile `paper` belongs; its folder is there."""
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    found = find_home({"MIRRORCTL_HOME": str(tmp_path)}).store_path("paper")
    found.parent.mkdir(parents=True)
    return found


@pytest.fixture
def journal(path: Path) -> Path:
    """A journal of two intents, two rows each."""
    with SqliteStore(path) as store:
        for at in (AT, AT + 1_000):
            made = store.record_intent(CANCEL, at)
            store.update_intent(Intent(made, "mirror", CANCEL, IntentState.DONE, at, at + 40))
    return path


def verify(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["history", "--verify", "--json"])
    return code, json.loads(capsys.readouterr().out)


def edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def test_nothing_was_journaled_yet(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = verify(capsys)
    assert (code, document["intact"], document["rows"], document["last_hash"]) == (0, True, 0, None)
    assert not path.exists(), "looking makes no store"
    assert main(["history", "--verify"]) == 0
    assert "nothing was journaled yet" in capsys.readouterr().out


def test_a_journal_as_it_was_written(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = verify(capsys)
    assert (code, document["intact"], document["fault"]) == (0, True, None)
    assert (document["rows"], document["intents"], document["first_row"], document["last_row"]) == (4, 2, 1, 4)
    assert len(document["last_hash"]) == 64
    assert main(["history", "--verify"]) == 0
    told = capsys.readouterr().out
    assert "the journal is as it was written: 4 rows of 2 intents" in told
    assert document["last_hash"] in told


@pytest.mark.parametrize(
    ("statement", "kind", "row"),
    [
        ("UPDATE journal SET action = replace(action, 'BTCUSDT', 'ETHUSDT') WHERE seq = 3", "changed", 3),
        ("DELETE FROM journal WHERE seq = 2", "removed", 2),
        ("DELETE FROM journal WHERE seq = 4", "cut", 4),
        ("UPDATE journal SET seq = 5 + seq", "reordered", 1),
    ],
)
def test_a_journal_that_was_changed(
    journal: Path, capsys: pytest.CaptureFixture[str], statement: str, kind: str, row: int
) -> None:
    if kind == "reordered":  # all of it the other way round, in two steps: a number is there once
        edit(journal, "UPDATE journal SET seq = -seq")
    edit(journal, statement)
    code, document = verify(capsys)
    assert (code, document["intact"]) == (3, False)
    assert (document["fault"]["kind"], document["fault"]["row"]) == (kind, row)
    assert main(["history", "--verify"]) == 3
    assert f"not as it was written: {kind}: row {row} " in capsys.readouterr().out


def test_the_time_and_intent_of_a_changed_row_are_named(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(journal, "UPDATE journal SET message = 'never mind' WHERE seq = 4")
    _, document = verify(capsys)
    assert (document["fault"]["intent"], document["fault"]["at"]) == (3, "2026-01-02T03:04:06.718Z")


def test_a_journal_from_before_the_chain_is_unknown(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    third = Database(path)
    migrate(third, MIGRATIONS[:3])
    third.close()
    code, document = verify(capsys)
    assert (code, document["intact"], document["fault"]) == (0, None, None)
    assert main(["history", "--verify"]) == 0
    assert "older version" in capsys.readouterr().out
