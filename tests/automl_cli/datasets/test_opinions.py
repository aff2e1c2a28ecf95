"""The made language: its grammar, its labels, and that the order of words counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from automl_cli.datasets import opinions
from automl_cli.datasets.opinions import LENGTH, VOCABULARY, Opinions, opinion_of, sentence


def test_parts_and_batches() -> None:
    """3,000, 1,000 and 1,000 texts of whole numbers; the last batch can be left out."""
    data = Opinions()
    assert [len(part) for part in (data.train, data.valid, data.test)] == [3000, 1000, 1000]
    batches = list(data.train.batches(64, torch.Generator().manual_seed(0), drop_last=True))
    assert len(batches) == 46
    for tokens, labels in batches:
        assert (tokens.shape, labels.shape) == ((64, LENGTH), (64,))
        assert (tokens.dtype, labels.dtype) == (torch.int64, torch.int64)
    assert int(data.train.tokens.max()) < VOCABULARY == 256
    assert data.shape == (LENGTH,)
    shuffled = torch.cat([tokens for tokens, _ in data.valid.batches(300)])
    assert torch.equal(shuffled, data.valid.tokens)


def test_the_seed_decides_everything() -> None:
    """Equal seeds, equal texts."""
    one, same, other = Opinions(), Opinions(), Opinions(seed=1)
    assert torch.equal(one.train.tokens, same.train.tokens)
    assert torch.equal(one.train.labels, same.train.labels)
    assert not torch.equal(one.train.tokens, other.train.tokens)


def test_the_last_clause_decides() -> None:
    """Each text is read back by its grammar."""
    data = Opinions()
    for words, label in zip(data.test.tokens.tolist(), data.test.labels.tolist(), strict=True):
        spoken = [word for word in words if word != opinions.PAD]
        assert words[: len(spoken)] == spoken
        while opinions.BUT in spoken:
            spoken = spoken[spoken.index(opinions.BUT) + 1 :]
        adjective = spoken[-1] - opinions.ADJECTIVE
        assert adjective >= 0
        good, strong, negated = adjective % 2 == 0, opinions.VERY in spoken, opinions.NOT in spoken
        assert label == opinion_of(good=good, strong=strong, negated=negated)


@pytest.mark.parametrize(
    ("text", "opinion"),
    [
        ({"good": True, "strong": True, "negated": False}, 3),
        ({"good": True, "strong": False, "negated": False}, 2),
        ({"good": False, "strong": False, "negated": False}, 1),
        ({"good": False, "strong": True, "negated": False}, 0),
        ({"good": True, "strong": True, "negated": True}, 1),
        ({"good": False, "strong": False, "negated": True}, 2),
    ],
)
def test_opinions(text: dict[str, bool], opinion: int) -> None:
    """Not very good is weakly against; not bad is weakly for."""
    assert opinion_of(**text) == opinion


def test_no_sentence_is_longer_than_the_texts() -> None:
    """Even with three clauses of every word there is."""
    rng = np.random.default_rng(3)
    lengths = [sum(word != opinions.PAD for word in sentence(rng)[0]) for _ in range(20_000)]
    assert 15 < max(lengths) <= LENGTH


def test_a_bag_of_words_is_not_enough() -> None:
    """Naive Bayes on clean labels, which ignores the order, is far from right."""
    data = Opinions()

    def bags(tokens: torch.Tensor) -> torch.Tensor:
        counts = torch.zeros(len(tokens), VOCABULARY).scatter_add_(
            1, tokens, torch.ones(tokens.shape)
        )
        return counts[:, 1:]

    x, y = bags(data.train.tokens), data.train.labels
    rates = torch.stack([x[y == k].sum(0) + 1 for k in range(4)])
    scores = bags(data.test.tokens) @ (rates / rates.sum(1, keepdim=True)).log().T
    accuracy = (scores.argmax(1) == data.test.labels).float().mean()
    assert 0.35 < float(accuracy) < 0.7
