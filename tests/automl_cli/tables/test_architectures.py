"""Names of architectures: written, read, and refused with the nearest that is meant."""

from __future__ import annotations

import pytest

from automl_cli.tables.architectures import (
    OPERATIONS,
    cell_operations,
    check,
    size_name,
    topology_name,
)
from automl_spaces.errors import UserError

RESNET = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"


def test_a_name_and_its_operations() -> None:
    """The ResNet cell of the paper, both ways."""
    operations = ["nor_conv_3x3", "none", "nor_conv_3x3", "skip_connect", "none", "skip_connect"]
    assert topology_name(operations) == RESNET
    assert cell_operations(RESNET) == operations


def test_names_of_both_spaces_pass() -> None:
    """Every operation and width is in its space."""
    for operation in OPERATIONS:
        check(topology_name([operation] * 6), "topology")
    check(size_name([8, 24, 40, 56, 64]), "size")


@pytest.mark.parametrize(
    ("name", "space", "hint"),
    [
        (RESNET.replace("nor_conv_3x3~1", "nor_conv_5x5~1"), "topology", "did you mean nor_conv_"),
        (RESNET.replace("skip_connect~2", "skip_conect~2"), "topology", "mean skip_connect"),
        (RESNET.replace("none~1", "none~0"), "topology", "its cells are"),
        ("|none~0|+|none~0|none~1|", "topology", "its cells are"),
        ("", "topology", "its cells are"),
        ("8:8:8:8:50", "size", "the nearest is 48"),
        ("8:8:8:8:0", "size", "the nearest is 8"),
        ("8:8:8:8:wide", "size", "8 to 64 in steps of 8"),
    ],
)
def test_what_is_in_no_space_gets_a_hint(name: str, space: str, hint: str) -> None:
    """Wrong operations and widths are told from wrong shapes."""
    with pytest.raises(UserError) as caught:
        check(name, space)  # type: ignore[arg-type]
    assert hint in str(caught.value)


def test_too_many_widths() -> None:
    """The number of layers is fixed."""
    with pytest.raises(UserError, match=r"5 widths, '8:8:8:8:8:8' has 6"):
        check("8:8:8:8:8:8", "size")
