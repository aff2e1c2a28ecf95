"""What is said of the changes to a static program."""

from __future__ import annotations

from automl_cli.shared_results import Backing


def test_changes_have_their_gain_and_its_error() -> None:
    """Together."""
    text = Backing(9, 17, 0.0661, 0.0123).line()
    assert text.startswith("the static program with 9 of 17 decisions changed")
    assert text.endswith("gains 0.066 ± 0.01")


def test_where_nothing_is_backed_that_is_said() -> None:
    """A gain of zero would say less."""
    assert "no change of it is backed" in Backing(0, 17, 0.0, 0.0).line()
