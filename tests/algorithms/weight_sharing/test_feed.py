"""The batches of a search, and their position."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from automl_algorithms.weight_sharing.feed import Feed
from automl_spaces.errors import UserError


class Numbers:
    """Three numbered batches an epoch, two a validation pass."""

    def __init__(self, size: int = 3, valid: int = 2) -> None:
        self.size, self.valid = size, valid
        self.trained, self.validated = count(), count()

    def train_batches(self) -> Iterator[str]:
        """Epoch and place."""
        epoch = next(self.trained)
        yield from (f"{epoch}.{i}" for i in range(self.size))

    def valid_batches(self) -> Iterator[str]:
        """Pass and place."""
        number = next(self.validated)
        yield from (f"v{number}.{i}" for i in range(self.valid))


class Seekable(Numbers):
    """One that need not be gone through."""

    def seek(self, epoch: int, validations: int) -> None:
        """Go there."""
        self.trained, self.validated = count(epoch), count(validations)


def test_epochs_end_and_validation_does_not() -> None:
    """Another pass begins when one is over."""
    feed = Feed(Numbers())
    assert list(feed.train()) == ["0.0", "0.1", "0.2"]
    assert (feed.epoch, feed.steps) == (1, 0)
    assert [feed.valid() for _ in range(5)] == ["v0.0", "v0.1", "v1.0", "v1.1", "v2.0"]
    assert list(feed.train()) == ["1.0", "1.1", "1.2"]


@pytest.mark.parametrize("program", [Numbers, Seekable])
@pytest.mark.parametrize("steps", range(7))
@pytest.mark.parametrize("looks", range(6))
def test_a_position_is_found_again(program: type[Numbers], steps: int, looks: int) -> None:
    """By seeking or by going through what was."""
    feed = Feed(program())
    given = 0
    while given < steps:
        for _ in feed.train():
            given += 1
            if given == steps:
                break
    if feed.steps == 3:  # the epoch is over, though nobody asked for more of it
        feed.epoch, feed.steps = feed.epoch + 1, 0
    for _ in range(looks):
        feed.valid()
    again = Feed(program())
    again.load_state_dict(feed.state_dict())
    assert again.state_dict() == feed.state_dict()
    epoch, place = divmod(steps, 3)
    assert list(again.train()) == [f"{epoch}.{i}" for i in range(place, 3)]
    assert again.epoch == epoch + 1
    assert again.valid() == f"v{looks // 2}.{looks % 2}"


def test_steps_are_declared_or_counted() -> None:
    """Counting goes through an epoch."""
    declared = Numbers()
    declared.steps = 9  # type: ignore[attr-defined]
    assert Feed(declared).epoch_steps() == 9
    assert Feed(Numbers()).epoch_steps() == 3


def test_parts_without_a_batch_are_named() -> None:
    """Instead of a search without an end."""
    with pytest.raises(UserError, match=r"train_batches\(\) gives no batch"):
        list(Feed(Numbers(size=0)).train())
    with pytest.raises(UserError, match=r"valid_batches\(\) gives no batch"):
        Feed(Numbers(valid=0)).valid()
