"""The mutations of `make mutants`: each still applies to the code as it is, exactly once, and leaves a program."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.mutants import ROOT, apply
from tools.mutations import MUTATIONS, NAMED, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_mutation_applies_and_leaves_a_program(mutation: Mutation, tmp_path: Path) -> None:
    for path in {edit.path for edit in mutation.edits}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((ROOT / path).read_text())
    apply(mutation, tmp_path)
    for path in {edit.path for edit in mutation.edits}:
        text = (tmp_path / path).read_text()
        assert text != (ROOT / path).read_text()
        ast.parse(text)


def test_the_rules_of_the_safety_list_are_all_there() -> None:
    named = {mutation.name for mutation in NAMED}
    assert named == {
        "journal",
        "new-id",
        "failed-read",
        "reduce-only",
        "relist",
        "buy-back",
        "pending-twice",
        "beside-twin",
    }
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
