"""Door plates open what is on them and list what is right when a name is wrong."""

from __future__ import annotations

import pytest

from deploy.errors import DeployError
from deploy.registry import DoorPlate, load_object

PLATE: DoorPlate[type] = DoorPlate("bench mark", {"b": "fractions:Fraction", "a": "decimal:Decimal"})


def test_a_line_opens() -> None:
    from fractions import Fraction

    assert PLATE.open("b") is Fraction
    assert PLATE.check("a") == "a"


@pytest.mark.parametrize("wrong", ["B", "c", "", "fractions:Fraction", "a "])
def test_a_mistyped_name_lists_the_right_ones_and_picks_none(wrong: str) -> None:
    with pytest.raises(DeployError) as caught:
        PLATE.open(wrong)
    assert caught.value.error_id == "UNKNOWN-BENCH-MARK"
    assert repr(wrong) in caught.value.summary
    assert caught.value.remedy == "Choose one of: b, a."


def test_names_keep_the_order_of_the_plate() -> None:
    assert PLATE.names() == list(PLATE) == ["b", "a"]
    assert "a" in PLATE
    assert "c" not in PLATE


def test_a_plate_does_not_import_what_nobody_asked_for() -> None:
    plate: DoorPlate[object] = DoorPlate("x", {"absent": "no_such_module:Thing", "here": "math:pi"})
    assert plate.open("here") == 3.141592653589793
    with pytest.raises(ImportError):
        plate.open("absent")


def test_load_object_follows_dots() -> None:
    assert load_object("os:path.join") is __import__("os").path.join
    with pytest.raises(AttributeError):
        load_object("os:path.nothing")
