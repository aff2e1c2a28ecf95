"""A small language made by a seeded process: text for smoke tests and searches, without a download.

A sentence is one to three clauses of the form *thing is [not] [very] adjective*, joined by *but*,
with fillers here and there. Its class is the opinion of its **last** clause, from 0 (strongly
against) to 3 (strongly for):

    [for] very good 3, good 2, bad 1, very bad 0        not turns 3 and 2 into 1, 1 and 0 into 2

so that the same words in another order mean something else: a bag of words is right in about half
of the sentences. Half of the adjectives are good, half bad; as in a real language few are frequent
and most are rare (Zipf's law), so that some are hardly ever seen in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from automl_spaces.registry import register

if TYPE_CHECKING:
    import numpy as np
    from torch import Generator, Tensor

    from automl_cli.programs.contracts import Batch

LENGTH: Final = 20
PAD, NOT, VERY, BUT, IS = range(5)
FILLERS, THINGS, ADJECTIVES = 11, 40, 200
THING = 5 + FILLERS
ADJECTIVE = THING + THINGS  # the even ones are good
VOCABULARY: Final = ADJECTIVE + ADJECTIVES


class TokenSplit:
    """A part of a data set of sentences.

    Args:
        tokens: int64 [n, length].
        labels: int64 [n].
    """

    def __init__(self, tokens: Tensor, labels: Tensor) -> None:
        self.tokens, self.labels = tokens, labels

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self, size: int, generator: Generator | None = None, *, drop_last: bool = False
    ) -> Iterator[Batch]:
        """One pass: tokens int64 [N, length], labels int64 [N]; see `TensorSplit.batches`."""
        import torch

        n = len(self)
        order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        end = n - n % size if drop_last and n >= size else n
        for start in range(0, end, size):
            chosen = order[start : min(start + size, end)]
            yield self.tokens[chosen], self.labels[chosen]


@register
class Opinions:
    """5,000 sentences of up to 20 words of 256, in 4 classes; 0 stands for no word.

    3,000 train, 1,000 validate, 1,000 test.

    Args:
        seed: of the sentences.
    """

    shape: ClassVar[tuple[int, ...]] = (LENGTH,)
    classes: ClassVar[int] = 4

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @cached_property
    def _splits(self) -> tuple[TokenSplit, TokenSplit, TokenSplit]:
        import numpy as np
        import torch

        rng = np.random.default_rng(self.seed)
        drawn = [sentence(rng) for _ in range(5000)]
        tokens = torch.tensor([words for words, _ in drawn])
        labels = torch.tensor([opinion for _, opinion in drawn])
        parts = (slice(3000), slice(3000, 4000), slice(4000, 5000))
        train, valid, test = (TokenSplit(tokens[part], labels[part]) for part in parts)
        return train, valid, test

    @property
    def train(self) -> TokenSplit:
        """What the weights are fitted to."""
        return self._splits[0]

    @property
    def valid(self) -> TokenSplit:
        """What a search is rewarded by."""
        return self._splits[1]

    @property
    def test(self) -> TokenSplit:
        """What is only reported."""
        return self._splits[2]


def sentence(rng: np.random.Generator) -> tuple[list[int], int]:
    """The words of a sentence, padded to `LENGTH`, and its class."""
    words: list[int] = []
    opinion = 0
    for clause in range(rng.integers(1, 4)):
        if clause:
            words.append(BUT)
        negated, strong = rng.random(2) < (0.4, 0.3)
        adjective = min(int(rng.zipf(1.3)) - 1, 10**6) % ADJECTIVES
        spoken = [THING + int(rng.integers(THINGS)), IS]
        spoken += [NOT] * int(negated) + [VERY] * int(strong) + [ADJECTIVE + adjective]
        if rng.random() < 0.3:
            spoken.insert(int(rng.integers(3)), 5 + int(rng.integers(FILLERS)))
        words += spoken
        opinion = opinion_of(good=adjective % 2 == 0, strong=bool(strong), negated=bool(negated))
    return words + [PAD] * (LENGTH - len(words)), opinion


def opinion_of(*, good: bool, strong: bool, negated: bool) -> int:
    """The class of a clause."""
    if negated:
        return 1 if good else 2
    return (3 if strong else 2) if good else (0 if strong else 1)
