"""The questions of `profile new`: what each answer becomes, and that a wrong one is asked again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mirrorctl.commands.interview import Interview
from mirrorctl.core.domain.errors import ConfirmationMissing
from mirrorctl.core.profile.draft import Draft, DraftLimits, DraftMirror, DraftTelegram, Keys


class Sitting:
    """Somebody at a terminal with the answers ready; "" is Enter."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.told: list[str] = []

    def draft(self, name: str | None = None) -> Draft:
        return Interview(self.answer, self.told.append).draft(name)

    def answer(self, question: str) -> str | None:
        self.asked.append(question)
        return self._answers.pop(0) if self._answers else None


def test_enter_all_the_way_is_paper_with_one_mirror() -> None:
    sitting = Sitting([""] * 6)
    assert sitting.draft() == Draft("my-paper", "paper", (DraftMirror("mirror", "proportion", "50%"),))
    assert sitting.asked[0] == "Where does it trade: paper | testnet | demo | mainnet [paper]"


def test_an_environment_with_keys_asks_for_variables_and_limits() -> None:
    answers = ["main", "live", "", "", "copy", "risk", "2", "COPY_KEY", "COPY_SECRET", "n"]
    answers += ["all", "3", "", "", "none", "-100123", ""]
    assert Sitting(answers).draft() == Draft(
        "live",
        "mainnet",
        (DraftMirror("copy", "risk", "2", Keys("COPY_KEY", "COPY_SECRET")),),
        keys=Keys("BYBIT_API_KEY", "BYBIT_API_SECRET"),
        limits=DraftLimits("3", "10000", "20000", None),
        adopt="all",
        telegram=DraftTelegram("TELEGRAM_BOT_TOKEN", -100123),
    )


def test_a_name_that_was_given_is_not_asked_for() -> None:
    sitting = Sitting([""] * 5)
    assert sitting.draft("mine").name == "mine"
    assert not any("Name of the profile" in question for question in sitting.asked)


@pytest.mark.parametrize(
    ("answers", "allowed"),
    [
        (["moon", *[""] * 6], "allowed: paper | testnet | demo | mainnet"),
        (["", "a b", *[""] * 5], "allowed: 1 to 64 letters"),
        (["", "", "Mirror", *[""] * 4], "allowed: 1 to 32 of [a-z0-9-]"),
        (["", "", "main", *[""] * 4], "main is taken"),
        (["", "", "", "percent", *[""] * 3], "allowed: proportion | equity"),
        (["", "", "", "", "0", *[""] * 2], 'allowed: a factor above 0, such as "0.5" or "50%"'),
        (["", "", "", "fixed-qty", "50%", "0.1", ""], "allowed: base coin for each position"),
        (["", "", "", "fixed-qty", "", "0.1", ""], "allowed: base coin for each position"),
        (["", "", "", "", "", "perhaps", ""], "allowed: y | n"),
    ],
)
def test_a_wrong_answer_is_asked_again(answers: list[str], allowed: str) -> None:
    sitting = Sitting(answers)
    sitting.draft()
    told = [text for text in sitting.told if "allowed" in text or "taken" in text]
    assert len(told) == 1
    assert told[0].startswith(allowed)


@pytest.mark.proves("A73")
def test_a_key_given_for_a_name_is_refused_and_not_repeated() -> None:
    sitting = Sitting(["testnet", "", "aBcD1234secret", *[""] * 14])
    sitting.draft()
    told = " ".join(sitting.told + sitting.asked)
    assert "the name, not the key itself" in told
    assert "aBcD1234secret" not in told


def test_mirrors_until_somebody_says_no() -> None:
    draft = Sitting(["", "", "", "", "", "y", "mirror", "", "equity", "", "y", "third", "", "1", "n"]).draft()
    assert [(mirror.name, mirror.mode, mirror.value) for mirror in draft.mirrors] == [
        ("mirror", "proportion", "50%"),
        ("mirror-2", "equity", "1"),
        ("third", "proportion", "1"),
    ]


def test_answers_that_end_write_nothing() -> None:
    with pytest.raises(ConfirmationMissing, match="nothing was written"):
        Sitting(["testnet", "live"]).draft()
