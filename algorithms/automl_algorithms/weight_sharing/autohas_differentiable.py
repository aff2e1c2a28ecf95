"""AutoHAS by gradients: the validation loss, differentiated through one step of the weights.

Dong et al. 2020 (arXiv 2006.03656, the first version, "Differentiable AutoHAS"), published without
code. Architecture a and hyperparameters h are sampled with Gumbel noise, and the policy descends

    L_valid(W', a),   W' = one step from W on a training batch, with a and h

which is undone. A number is a combination of its candidates, or of `bases` values of its range,

    h = sum_k C_k B_k,   dL / dC_k = B_k dL / dh

in logarithms where its scale is logarithmic; C is the relaxed sample. Everything else, layers, an
optimiser's kind, kinds of augmentation, is one-hot with the gradient of the relaxed sample:
candidate k of a kind of optimiser is worth v . (W'_k - W), by the step that it would make (v, and
how losses are differentiated through a step, see `_update`).

The layers have their gradient at W' (first order). With `order` 2, and in any case for what acts in
the training alone (dropout, label smoothing, augmentation), there is the way through W' as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from automl_algorithms.contract import Capabilities, algorithm
from automl_algorithms.weight_sharing import derivation
from automl_algorithms.weight_sharing._alphas import Alphas
from automl_algorithms.weight_sharing._baseline import Baseline
from automl_algorithms.weight_sharing._hyperparameters import Hyperparameters, Setting
from automl_algorithms.weight_sharing._presets import one_of
from automl_algorithms.weight_sharing._samples import Sample, Sampler
from automl_algorithms.weight_sharing._temporary import Temporary
from automl_algorithms.weight_sharing._update import (
    gradient_along,
    judged,
    slope_along,
    through,
    undisturbed,
)
from automl_algorithms.weight_sharing.derivation import Policy
from automl_algorithms.weight_sharing.gates import Gradient
from automl_algorithms.weight_sharing.search import Batch, Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError

OUTLIER = 5.0  # times the mean magnitude of a gradient by a hyperparameter, at most
ALIKE = 1e-5  # of the largest: gradients that differ by less are equal


@algorithm
class DifferentiableAutoHAS(Alphas):
    """Architecture and hyperparameters by gradients through one step.

    Args:
        lr: of the policy, by Adam.
        weight_decay: of the policy's logits.
        every: the policy moves in each so manieth step; None: 2 where nothing but the optimiser is
            searched, else 5. It decides the cost of the search.
        delay: share of the search in which the policy rests.
        order: 2 for the way of layers through the step of the weights, too.
        gradient: by which candidates layers learn: all (every one is computed), sum, selected.
        tau: temperature of the samples.
        bases: values that stand for a range of numbers.
        clip: norm that a gradient of the weights may have; None for any.
    """

    live: ClassVar[bool] = True
    accepts: ClassVar[frozenset[str]] = frozenset(
        {"learning_rate", "weight_decay", "augmentation", "dropout", "architecture"}
    )
    capabilities = Capabilities(continuous=True)

    def __init__(
        self,
        *,
        lr: float = 0.03,
        weight_decay: float = 0.0,
        every: int | None = None,
        delay: float = 0.2,
        order: Literal[1, 2] = 1,
        gradient: Literal["all", "sum", "selected"] = "all",
        tau: float = 0.5,
        bases: int = 7,
        clip: float | None = None,
    ) -> None:
        one_of("order", order, (1, 2))
        one_of("gradient", gradient, get_args(Gradient))
        for name, number, least in (("every", every, 1), ("bases", bases, 2)):
            if number is not None and number < least:
                raise UserError(f"{name} must be at least {least}, got {number}")
        if tau <= 0:
            raise UserError(f"tau is a temperature, above 0, not {tau:g}")
        if not 0 <= delay < 1:
            raise UserError(f"delay must be from 0 to less than 1, got {delay:g}")
        self.lr, self.weight_decay, self.clip = lr, weight_decay, clip
        self.every, self.delay, self.order = every, delay, order
        self.gradient: Gradient = gradient
        self.tau, self.bases = tau, bases

    def setup(self, net: Supernet, task: Task) -> None:
        """A policy that is nearly uniform; what each hyperparameter acts on."""
        super().setup(net, task)
        self.hyper = Hyperparameters(net)
        self.sampler = Sampler(self.logits, self.hyper, self.bases, self.init, self.generator)
        self.optimizer = torch.optim.Adam(  # of the logits of ranges, too
            self.logits.parameters(), self.lr, betas=self.betas, weight_decay=self.weight_decay
        )
        self.period = self.every or (2 if net.gates.keys() <= net.stepping else 5)
        self.magnitudes = {index: Baseline(0.95) for index in sorted(net.live)}

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """If it is time, the policy moves; then the shared step, with the best hyperparameters."""
        net, hyper = self.net, self.hyper
        rests = at.progress < self.delay
        if rests or at.step % self.period:
            bests = hyper.beginning() if rests else self.sampler.bests()
            hyper.set(self.sampler.record(bests, self.rng))
            return {"loss": self.train_weights(train)}
        sample = self.sampler.draw(self.tau, self.generator)
        hyper.set(sample.setting)
        again = bool(hyper.in_loss)  # the shared step needs a gradient of its own
        with undisturbed(net.model) if again else nullcontext():
            loss = self.differentiate(train)
        seen = self._learn(sample, train, valid())
        hyper.set(self.sampler.record(self.sampler.bests(), self.rng, sample.setting.values))
        with Temporary(net.model, net.program.optimizer) as temporary:
            if again:
                loss = self.train_weights(train)
            else:
                net.program.optimizer.step()
            if temporary.sane():
                temporary.keep()
        return {"loss": loss, **seen}

    def policy(self) -> Policy:
        """As learned so far; ranges, which have no candidates, are left out."""
        return self.sampler.policy()

    def derive(self, valid: Callable[[], Batch]) -> Iterator[Decisions]:
        """The best of every decision; then the most probable records."""
        space, policy, bests = self.net.space, self.policy(), self.sampler.bests()
        yield Decisions(space, self.sampler.record(bests, None).values)
        known = {**self.net.settled, **{i: bests.values[i] for i in self.hyper.numbers}}
        for _, found in derivation.most_probable(space, policy, known):
            yield found

    def _learn(self, sample: Sample, train: Batch, batch: Batch) -> dict[str, float]:
        """The gradient of the policy, through a step that is undone, and a step against it."""
        net, hyper, program = self.net, self.hyper, self.net.program
        setting, bests = sample.setting, self.sampler.bests()
        layers = [i for i in sample.weights if i not in net.live and setting.values[i] is not None]
        weights = [w for w in net.model.parameters() if w.grad is not None]
        with Temporary(net.model, program.optimizer) as temporary:
            program.optimizer.step()
            hyper.adopt(hyper.plain(setting))
            self.sampler.pick(sample, layers, self.gradient)
            with judged(net.model):
                loss = program.loss(batch)
            if not (temporary.sane() and loss.isfinite()):
                self._descend(sample, self._ruined(sample))
                return {"ruined": 1.0}
            by = [*(sample.weights[i] for i in layers), *weights]
            found = torch.autograd.grad(loss, by, allow_unused=True)
        pairs = zip(weights, found[len(layers) :], strict=True)
        v = {weight: gradient for weight, gradient in pairs if gradient is not None}
        direct = {i: g for i, g in zip(layers, found, strict=False) if tells_apart(g)}
        gradients = {i: g for i, g in direct.items() if g is not None}
        for index, effect in hyper.by_step(setting, bests, v).items():
            gradients[index] = self._scaled(index, effect)
        behind = layers if self.order == 2 else [i for i in layers if i not in gradients]
        if hyper.in_loss or behind:
            way = through(net, v)
            net.model.train()

            def slope(other: Setting) -> float:
                hyper.set(other)
                return slope_along(net, way, lambda: program.loss(train))

            for index, effect in hyper.by_loss(setting, bests, slope).items():
                gradients[index] = self._scaled(index, effect)
            hyper.set(setting)
            self.sampler.pick(sample, behind, self.gradient)
            by = [sample.weights[i] for i in behind]
            terms = gradient_along(net, way, lambda: program.loss(train), by) if by else []
            for index, term in zip(behind, terms, strict=True):
                gradients[index] = term + gradients.get(index, 0.0)
        self._descend(sample, gradients)
        return {"valid_loss": loss.item(), "ruined": 0.0}

    def _descend(self, sample: Sample, gradients: Mapping[int, Tensor]) -> None:
        """A step of the policy against gradients by the weights of a sample."""
        terms = [(sample.weights[i] * gradient).sum() for i, gradient in gradients.items()]
        logits = self.logits.parameters()
        if terms:
            loss = torch.stack(terms).sum()
            self.descend(torch.autograd.grad(loss, logits, allow_unused=True))

    def _scaled(self, index: int, effect: float | list[float]) -> Tensor:
        """What a hyperparameter does, as a gradient by the weights of its candidates.

        In units of its own mean: a learning rate's derivative may be 1e6 times that of a weight
        decay, and one outlier would be all that the policy's optimiser remembers.
        """
        mean = self.magnitudes[index]
        if isinstance(effect, float):
            centre, size = 0.0, abs(effect)
        else:
            known = [each for each in effect if math.isfinite(each)] or [0.0]
            centre, size = sum(known) / len(known), max(known) - min(known)
        if math.isfinite(size):
            mean.take(min(size, OUTLIER * mean.mean) if mean.mean else size)
        unit = mean.mean or 1.0

        def bounded(x: float) -> float:
            return max(-OUTLIER, min((x - centre) / unit, OUTLIER))

        if isinstance(effect, float):
            return self.sampler.basis[index] * bounded(effect)
        return torch.tensor([bounded(each) for each in effect])

    def _ruined(self, sample: Sample) -> dict[int, Tensor]:
        """Against what may have ruined the weights: learning rates, and kinds of optimiser."""
        hyper, found = self.hyper, {}
        for index, weights in sample.weights.items():
            if index in hyper.parts and hyper.parts[index].role == "rate":
                found[index] = OUTLIER * self.sampler.basis[index]
            elif index in hyper.kinds and index not in hyper.in_loss:
                found[index] = OUTLIER * (weights == weights.max()).to(weights)
        return found

    def state_dict(self) -> dict[str, Any]:
        """The magnitudes of the gradients, too."""
        magnitudes = {str(i): each.state_dict() for i, each in self.magnitudes.items()}
        return super().state_dict() | {"magnitudes": magnitudes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        for index, each in self.magnitudes.items():
            each.load_state_dict(state["magnitudes"][str(index)])


def tells_apart(gradient: Tensor | None) -> bool:
    """Whether a loss depends on the candidates: not on those that act in the training alone."""
    if gradient is None:
        return False
    return float(gradient.max() - gradient.min()) > ALIKE * float(gradient.abs().max())
