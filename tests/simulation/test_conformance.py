"""Every kind of order on main against every kind of mirror: sizes by rule, and docs/conformance.md says what stands."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tools.conformance import MIRRORS, followed, run, section

PAGE = Path(__file__).parent.parent.parent / "docs" / "conformance.md"


@pytest.mark.proves("A1", "A15")
@pytest.mark.parametrize("hedged", [False, True], ids=["main one-way", "main hedged"])
def test_every_mirror_holds_what_its_policy_says_and_the_page_says_so(hedged: bool) -> None:
    rows = run(hedged)
    held: dict[str, tuple[Decimal, Decimal]] = {}
    kind = ""
    for seen in rows:
        for name in MIRRORS:
            had = held[name] if seen.kind == kind else (Decimal(0), Decimal(0))
            assert seen.legs[name] == followed(name, seen.main_legs, had), f"{name}: {seen.kind}, {seen.step}"
        held, kind = seen.legs, seen.kind
    assert section(rows) in PAGE.read_text(encoding="utf-8"), "run `make docs`"
