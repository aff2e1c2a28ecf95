"""The text encoder: what it attends to, its arguments, and dropout rates by a gate."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.elastic import derived_state
from automl_algorithms.weight_sharing.supernet import lower
from automl_cli.costs.counting import count
from automl_cli.programs.drop_path_elastic import ElasticDropout
from automl_cli.programs.text_encoder import TextEncoder
from automl_spaces.choices import oneof
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .supernets import assert_close

LENGTH = 6
TOKENS = torch.tensor([[5, 3, 7, 0, 0, 0], [5, 7, 3, 0, 0, 0], [1, 2, 3, 4, 5, 6]])


def encoder(**options: Any) -> TextEncoder:
    """A small one, of the seed 0, for evaluation."""
    torch.manual_seed(0)
    return TextEncoder(**({"width": 16, "ff": 32} | options)).build_for((LENGTH,), 4).eval()


def test_logits_for_each_text() -> None:
    """Whole numbers in any type become logits; every parameter learns."""
    model = encoder(layers=3)
    logits = model(TOKENS)
    assert logits.shape == (3, 4)
    assert torch.equal(model(TOKENS.float()), logits)
    logits.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_order_counts() -> None:
    """The same words in another order are another text, to whatever depth."""
    one, other, _ = encoder()(TOKENS)
    assert (one - other).abs().max() > 1e-4


def test_what_is_no_word_does_not_count() -> None:
    """The embedding of padding changes nothing, and a text of no words is no error."""
    model = encoder()
    before = model(TOKENS)
    with torch.no_grad():
        model.words.weight[0] += 10
    assert torch.allclose(model(TOKENS), before, atol=1e-6)
    assert model(torch.zeros(1, LENGTH)).isfinite().all()


def test_attention_is_by_heads() -> None:
    """As PyTorch's own multi-head attention with the same weights has it."""
    attention = encoder(heads=4).layers[0].attention
    x = torch.randn(2, LENGTH, 16)
    present = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    theirs = nn.MultiheadAttention(16, 4, batch_first=True)
    theirs.in_proj_weight, theirs.in_proj_bias = attention.inputs.weight, attention.inputs.bias
    theirs.out_proj.weight, theirs.out_proj.bias = attention.output.weight, attention.output.bias
    wanted, _ = theirs(x, x, x, key_padding_mask=~present)
    assert torch.allclose(attention(x, present[:, None, None]), wanted, atol=1e-5)


def test_its_size_is_counted() -> None:
    """Multiply-adds of the linear layers at each of the places, and all parameters."""
    w, f, v = 16, 32, 256
    per_word = 3 * w * w + w * w + 2 * w * f
    layer = per_word + 4 * w + 3 * w + w + f + w  # norms; biases
    found = count(encoder(), (LENGTH,))  # type: ignore[arg-type]
    assert found.madds == 2 * LENGTH * per_word + w * 4
    assert found.params == 2 * (layer - w) + v * w + LENGTH * w + 2 * w + w * 4 + 4 + 2 * w


def test_heads_must_divide_the_width() -> None:
    """Said with both numbers."""
    with pytest.raises(ValueError, match="width=30 is no multiple of heads=4"):
        TextEncoder(width=30)


class Task:
    """A stepwise program of which only the model matters."""

    def __init__(self, model: Any) -> None:
        self.model: nn.Module = model.build_for((LENGTH,), 4)
        self.optimizer = None

    def loss(self, batch: Tensor) -> Tensor:
        """Of texts alone."""
        logits: Tensor = self.model(batch)
        return logits.square().sum()

    train_batches = valid_batches = evaluate = loss  # never called


def test_the_rate_of_dropout_is_a_choice() -> None:
    """One network; on a path it is the stand-alone one, noise and all, in training too."""
    model = symbolize(TextEncoder)(dropout=oneof([0.0, 0.2, 0.5]), width=16)
    net = lower(Space.compile(symbolize(Task)(model)))
    assert not net.switched()
    assert not any(isinstance(m, nn.Dropout) for m in net.model.modules())
    assert sum(isinstance(m, ElasticDropout) for m in net.model.modules()) == 3
    for record in net.space.enumerate():
        net.choose(record)
        alone = net.space.materialise(record).build().model
        alone.load_state_dict(derived_state(net.model, lambda gate: 0))
        for both in (lambda m: m.train(), lambda m: m.eval()):
            outputs = []
            for each in (net.model, alone):
                torch.manual_seed(1)
                outputs.append(both(each)(TOKENS))
            assert_close(*outputs)
