"""Errors carry an id, a sentence and a remedy through every wall: JSON, pickles and processes."""

from __future__ import annotations

import pickle

import pytest

from deploy.errors import DeployError, ExitCode


def test_an_error_says_what_happened_and_what_to_type() -> None:
    error = DeployError("DISK-FULL", "The disk is full.", "Free some space.")
    assert (error.error_id, error.summary, error.remedy) == (
        "DISK-FULL",
        "The disk is full.",
        "Free some space.",
    )
    assert str(error) == "DISK-FULL: The disk is full. Free some space."
    assert error.exit_code == ExitCode.ERROR


@pytest.mark.parametrize("wrong", ["disk-full", "DISK FULL", "-DISK", "DISK-", "1DISK", "", "DISK_FULL"])
def test_ids_are_capital_words_joined_by_dashes(wrong: str) -> None:
    with pytest.raises(ValueError, match="ALL-CAPS"):
        DeployError(wrong, "x", "y")


def test_an_error_survives_pickling_with_its_exit_code() -> None:
    again = pickle.loads(pickle.dumps(DeployError("A-B", "what", "next", ExitCode.INCOMPARABLE)))
    assert again.to_dict() == {"error": "A-B", "summary": "what", "remedy": "next"}
    assert again.exit_code == ExitCode.INCOMPARABLE


def test_an_error_survives_the_way_home_from_a_worker() -> None:
    error = DeployError("A-B", "what", "next")
    assert DeployError.from_dict(error.to_dict()).to_dict() == error.to_dict()


def test_exit_codes_are_the_promised_ones() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5, 130]
    assert (ExitCode.FAIL, ExitCode.CANNOT_TELL, ExitCode.INCOMPARABLE) == (3, 4, 5)
