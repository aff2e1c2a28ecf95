"""Heads: how the outputs of a policy become a distribution of each decision.

Each decision point has one head:
- `Choice`: a softmax over candidates, over the few values of a number, or over bins of its range.
  Candidates that the earlier slots of a `manyof` or `permutate` rule out have probability 0.
- `Normal`: a number whose place u in [0, 1] on its own scale is Phi(y), y ~ N(mean, deviation).
  Mean 0 and deviation 1 make u uniform, which is where a policy starts: as random search.

All that is learnt from a trial is read off its decisions, so that it does not matter who made
them. Shapes: B trials, D heads (= decisions), K outputs of `Choice` heads, N `Normal` heads,
F = K + N features that describe a record, O = K + 2 N outputs. Choices come first: what is
conditional depends on choices only, so that this order too has parents before children.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from automl_spaces import scales

if TYPE_CHECKING:
    import random

    from automl_spaces.points import Point, Value

Array = NDArray[np.float64]

BARRED: Final = -1e9  # added to the logit of a candidate that is ruled out; finite: 0 * BARRED = 0
EDGE: Final = 1e-6  # the ends of a range are this far from 0 and 1, y stays within +-4.75
FLOOR: Final = 0.05  # least deviation of y: about 2 % of the range, a few steps of Adam
_STANDARD: Final = NormalDist()


@dataclass(frozen=True)
class Choice:
    """A decision among `size` alternatives, one logit each.

    Attributes:
        point: the decision point.
        size: number of alternatives.
        bins: alternatives are equal parts of the range, not values.
    """

    point: Point
    size: int
    bins: bool = False

    def draw(self, outputs: Sequence[float], values: Sequence[Value], rng: random.Random) -> Value:
        """A value, given the decisions made before (None: not yet)."""
        allowed = self.allowed(values)
        logits = outputs if allowed is None else [outputs[i] for i in allowed]
        top = max(logits)
        weights = [math.exp(logit - top) for logit in logits]
        drawn = rng.choices(allowed or range(self.size), weights)[0]
        if self.bins:
            return self.point.from_unit((drawn + rng.random()) / self.size)
        return self.point.at(drawn)

    def feature(self, value: int | float) -> tuple[int, float]:
        """A one-hot entry. A number belongs to the bin in which it lies, whence it was drawn."""
        if self.bins:
            return min(int(middle(self.point, value) * self.size), self.size - 1), 1.0
        return self.point.place(value), 1.0

    def allowed(self, values: Sequence[Value]) -> list[int] | None:
        """The candidates that the slots before this one leave; None: all of them."""
        group = self.point.group
        if group is None or not (group.distinct or group.sorted):
            return None
        before = [v for j in group.indices if j < self.point.index and (v := values[j]) is not None]
        low, high = 0, self.size
        if group.sorted:
            low = int(before[-1]) if before else 0
            if group.distinct:  # leave one for each of the later slots
                high -= len(group.indices) - len(before) - 1
        taken = before if group.distinct else ()
        return [c for c in range(low, high) if c not in taken]


@dataclass(frozen=True)
class Normal:
    """A number, with two outputs: the mean of y, and s, which gives the deviation.

    deviation = FLOOR + (1 - FLOOR) (1 + tanh(s / 2)): 1 for s = 0, and 2 at most.
    """

    point: Point
    size: int = 2

    def draw(self, outputs: Sequence[float], values: Sequence[Value], rng: random.Random) -> Value:
        """A value; no other decision rules any out."""
        mean, s = outputs
        y = rng.gauss(mean, FLOOR + (1 - FLOOR) * (1 + math.tanh(s / 2)))
        return self.point.from_unit(_STANDARD.cdf(y))

    def feature(self, value: int | float) -> tuple[int, float]:
        """The y that stands for a value."""
        u = middle(self.point, value)
        return 0, _STANDARD.inv_cdf(min(max(u, EDGE), 1 - EDGE))


def middle(point: Point, value: float) -> float:
    """The place of a number in [0, 1], of a gridded one the middle of those that round to it."""
    n = point.cardinality
    if n is None:
        return point.to_unit(value)
    if point.scale == "linear" or point.step is None:
        return (point.place(value) + 0.5) / n
    low = max(point.min - point.step / 2, point.min / 2)  # as in `Point.from_unit`
    return scales.to_unit(value, low, point.at(n - 1) + point.step / 2, point.scale)


class Batch(NamedTuple):
    """Records as arrays.

    Args:
        features: (B, F) one-hot choices, then each number's y; 0 where a decision is inactive.
        active: (B, D) 1 where a decision is active, else 0.
        barred: (B, K) `BARRED` where a candidate is ruled out, else 0; None: nowhere.
    """

    features: Array
    active: Array
    barred: Array | None


class Heads:
    """The heads of all points of a space.

    Args:
        points: of the space.
        continuous: numbers have a `Normal` head, or are a `Choice` among `bins`.
        bins: number of bins. A number with no more values than that is a choice in any case.
    """

    def __init__(
        self, points: Sequence[Point], continuous: Literal["gaussian", "bins"], bins: int
    ) -> None:
        self.size = len(points)
        choices: list[Choice | Normal] = []
        numbers: list[Choice | Normal] = []
        for point in points:
            n = point.cardinality
            if point.kind == "categorical" or (n is not None and n <= bins):
                assert n is not None
                choices.append(Choice(point, n))
            elif continuous == "bins":
                choices.append(Choice(point, bins, bins=True))
            else:
                numbers.append(Normal(point))
        self.heads = choices + numbers
        sizes = [head.size for head in self.heads]
        self.choices, self.numbers = len(choices), len(numbers)
        self.outputs = sum(sizes)  # O
        self.logits = self.outputs - 2 * self.numbers  # K
        self.features = self.logits + self.numbers  # F
        self.starts = np.cumsum([0, *sizes])[:-1]  # (D,) the first output of each head
        self.owner = np.repeat(np.arange(self.size), sizes)  # (O,) the head of each output
        widths = sizes[: self.choices] + [1] * self.numbers
        rows, columns = _slices(sizes), _slices(widths)
        self.blocks = list(zip(self.heads, rows, columns, strict=True))  # its outputs, its features
        self._slots = [
            (head, columns)
            for head, _, columns in self.blocks
            if isinstance(head, Choice) and head.allowed([None] * self.size) is not None
        ]

    def read(self, records: Sequence[Sequence[Value]]) -> Batch:
        """Records of the space as arrays."""
        features = np.zeros((len(records), self.features))
        active = np.ones((len(records), self.size))
        barred = np.zeros((len(records), self.logits)) if self._slots else None
        for row, values in enumerate(records):
            for i, (head, _, columns) in enumerate(self.blocks):
                value = values[head.point.index]
                if value is None:
                    active[row, i] = 0.0
                else:
                    offset, feature = head.feature(value)
                    features[row, columns.start + offset] = feature
            if barred is not None:
                self._bar(values, barred[row])
        return Batch(features, active, barred)

    def _bar(self, values: Sequence[Value], row: Array) -> None:
        for head, columns in self._slots:
            if values[head.point.index] is not None:
                row[columns] = BARRED
                for candidate in head.allowed(values) or ():
                    row[columns.start + candidate] = 0.0


def _slices(sizes: Sequence[int]) -> list[slice]:
    ends = itertools.accumulate(sizes)
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]


class Distributions:
    """What is drawn from given outputs, and how likely given records are.

    Args:
        heads: of the space.
        outputs: (B, O), or (1, O) when all trials share them.
        batch: B records.
    """

    def __init__(self, heads: Heads, outputs: Array, batch: Batch) -> None:
        self._heads, self._batch = heads, batch
        k = heads.logits
        self._chosen, self._y = batch.features[:, :k], batch.features[:, k:]
        self._active = batch.active[:, heads.owner]  # (B, O)
        if heads.choices:
            self._starts, self._owner = heads.starts[: heads.choices], heads.owner[:k]
            logits = outputs[:, :k] if batch.barred is None else outputs[:, :k] + batch.barred
            logits = logits - np.maximum.reduceat(logits, self._starts, axis=1)[:, self._owner]
            weights = np.exp(logits)
            totals = np.add.reduceat(weights, self._starts, axis=1)[:, self._owner]
            self._p, self._log_p = weights / totals, logits - np.log(totals)
        if heads.numbers:
            self._mean = outputs[:, k::2]
            tanh = np.tanh(outputs[:, k + 1 :: 2] / 2)
            self._deviation = FLOOR + (1 - FLOOR) * (1 + tanh)
            self._spread = (1 - FLOOR) * (1 - tanh**2) / 2  # derivative of the deviation by s
            self._z = (self._y - self._mean) / self._deviation

    def log_prob(self) -> Array:
        """(B, D) log-probability of each decision, of a number the log-density of y."""
        log_prob, choices = np.empty(self._batch.active.shape), self._heads.choices
        if choices:
            chosen = self._chosen * self._log_p
            log_prob[:, :choices] = np.add.reduceat(chosen, self._starts, axis=1)
        if self._heads.numbers:
            constant = 0.5 * math.log(2 * math.pi)
            log_prob[:, choices:] = -0.5 * self._z**2 - np.log(self._deviation) - constant
        return log_prob * self._batch.active

    def log_prob_slope(self) -> Array:
        """(B, O) derivative of each decision's log-probability by the outputs of its head."""
        slope, k = np.empty(self._active.shape), self._heads.logits
        if self._heads.choices:
            slope[:, :k] = self._chosen - self._p
        if self._heads.numbers:
            slope[:, k::2] = self._z / self._deviation
            slope[:, k + 1 :: 2] = (self._z**2 - 1) * self._spread / self._deviation
        return slope * self._active

    def entropy(self) -> Array:
        """(B, D) entropy of each decision; of a number that of u, which is 0 at most.

        For u = Phi(y) it is minus the divergence of N(mean, deviation) from N(0, 1).
        """
        entropy, choices = np.empty(self._batch.active.shape), self._heads.choices
        if choices:
            entropy[:, :choices] = -np.add.reduceat(self._p * self._log_p, self._starts, axis=1)
        if self._heads.numbers:
            square = self._mean**2 + self._deviation**2
            entropy[:, choices:] = 0.5 + np.log(self._deviation) - 0.5 * square
        return entropy * self._batch.active

    def entropy_slope(self) -> Array:
        """(B, O) derivative of each decision's entropy by the outputs of its head."""
        slope, k = np.empty(self._active.shape), self._heads.logits
        if self._heads.choices:
            plogp = self._p * self._log_p
            entropy = -np.add.reduceat(plogp, self._starts, axis=1)[:, self._owner]
            slope[:, :k] = -plogp - self._p * entropy
        if self._heads.numbers:
            slope[:, k::2] = -self._mean
            slope[:, k + 1 :: 2] = (1 / self._deviation - self._deviation) * self._spread
        return slope * self._active
