"""The contract of a weight-sharing search: a step of the shared weights and of the policy.

A search owns the gates of a supernet. In each step it sets them, trains the weights on a batch
of the training part and its policy on one of the validation part; in the end it names the
records that are worth training from scratch. Batches, checkpoints and records of what happened
are the caller's business (`loop`), so a search is one small file.
"""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch

from automl_algorithms.contract import Capabilities, kinds
from automl_algorithms.weight_sharing.derivation import Policy, argmax, most_probable, sample
from automl_algorithms.weight_sharing.identified import entropy
from automl_algorithms.weight_sharing.norms import batch_statistics
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_algorithms.weight_sharing.tree import listed
from automl_spaces.decisions import Decisions
from automl_spaces.errors import Problems, UserError
from automl_spaces.objective import Objective

Batch = Any
MOST_DRAWS = 10_000
Bounds = Mapping[str, tuple[float, float]]


class Diverged(FloatingPointError):  # noqa: N818 - what happened, as the others are named
    """A loss or a gradient of the shared weights is not finite; the weights were left alone."""


class Moment(NamedTuple):
    """Where a search stands.

    Args:
        epoch: counted from 0.
        step: of the whole search, counted from 0.
        epochs, steps: of the whole search.
    """

    epoch: int
    step: int
    epochs: int
    steps: int

    @property
    def progress(self) -> float:
        """The share of the search that is done, 0 in the first step."""
        return self.step / self.steps

    @property
    def by_epoch(self) -> float:
        """0 in the first epoch, 1 in the last; 0 when there is but one."""
        return self.epoch / max(1, self.epochs - 1)


class Task(NamedTuple):
    """What a search is after, beside its supernet.

    Args:
        objective: a metric of the program's `evaluate`.
        seed: of all that is random in the search.
        costs: what is known of a record before it is trained, by name: MAdds, parameters.
        bounds: per cost, the lowest and the highest value that the recipe's constraints accept.
    """

    objective: Objective
    seed: int = 0
    costs: Callable[[Decisions], Mapping[str, float]] = lambda _: {}
    bounds: Bounds = {}  # noqa: RUF012 - nobody writes to it

    def accepts(self, decisions: Decisions) -> bool:
        """Whether the costs of a record are within the bounds."""
        if not self.bounds:
            return True
        known = self.costs(decisions)
        return all(low <= known[name] <= high for name, (low, high) in self.bounds.items())


class SupernetSearch(ABC):
    """Base of every weight-sharing algorithm. `__init__` takes its options and nothing else.

    Class attributes:
        live: it can search what acts between steps: hyperparameters of the training.
        inert: it can search what acts through costs alone: an accelerator.
        accepts: of `contract.DECISIONS`, the kinds that it can search. Rates of dropout are
            decisions of the network.

    Attributes:
        net, task: what is searched.
        rng: draws records.
        generator: draws the noise of relaxed samples, on the CPU; the network's dropout has
            PyTorch's global one.
    """

    name: ClassVar[str] = ""
    capabilities: Capabilities = Capabilities(continuous=False)
    live: ClassVar[bool] = False
    inert: ClassVar[bool] = False
    accepts: ClassVar[frozenset[str]] = frozenset({"architecture", "dropout"})
    clip: float | None = None  # norm that a gradient of the weights may have
    net: Supernet
    task: Task

    def setup(self, net: Supernet, task: Task) -> None:
        """Called once, before anything else. Raises `UserError` when the supernet does not suit."""
        self._require_abilities(net)
        self.net, self.task = net, task
        self._parameters = list(net.model.parameters())
        self.rng = random.Random(f"{task.seed}/search")
        self.generator = torch.Generator().manual_seed(self.rng.getrandbits(62))

    @abstractmethod
    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """One step of the search.

        Args:
            train: for the shared weights; see `train_weights`.
            valid: gives another batch of the validation part at each call.

        Returns:
            What there is to see: `loss` of the weights, `reward`, ...: floats by name, the same
            names in most steps. They are averaged over steps for the record.

        Raises:
            Diverged: see `train_weights`.
        """

    def end_epoch(self, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """What is done once an epoch, after its last step; as `step`."""
        return {}

    def found(self) -> dict[str, float]:
        """What is to be told at the end of the search beside its policy, by name."""
        return {}

    @abstractmethod
    def policy(self) -> Policy:
        """For each gate by the index of its point, the probability of each candidate."""

    def derive(self, valid: Callable[[], Batch]) -> Iterator[Decisions]:
        """Records that the search ends with, the best first; the caller takes as many as it wants.

        By default the most probable candidate of every decision, and then whole records from the
        most probable one on. The caller passes over what the constraints refuse, and repeats.
        """
        space, policy, settled = self.net.space, self.policy(), self.net.settled
        yield argmax(space, policy, settled)
        for _, decisions in most_probable(space, policy, settled):
            yield decisions

    def state_dict(self) -> dict[str, Any]:
        """All that `step` depends on beside weights and batches: tensors, numbers, plain data."""
        return {"rng": self.rng.getstate(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; called after `setup`."""
        self.rng.setstate(state["rng"])
        self.generator.set_state(state["generator"])

    # For subclasses -----------------------------------------------------------------------------

    def train_weights(self, batch: Batch) -> float:
        """A step of the weights by the program's own optimiser, with the gates as they are set.

        Returns, raises: as `differentiate`.
        """
        value = self.differentiate(batch)
        self.net.program.optimizer.step()
        return value

    def differentiate(self, batch: Batch) -> float:
        """The gradient of the weights, in their `grad`, with the gates as they are set.

        Returns:
            The loss.

        Raises:
            Diverged: when the loss or the norm of its gradient is not finite.
        """
        program = self.net.program
        if not program.model.training:  # to go through all modules takes time
            program.model.train()
        program.optimizer.zero_grad()
        loss = program.loss(batch)
        loss.backward()
        weights = [w for w in self._parameters if w.grad is not None]
        norm = torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None])
        value: float = loss.item()
        if not math.isfinite(value) or not torch.isfinite(norm):
            raise Diverged(f"loss {value:.4g}, norm of its gradient {float(norm):.4g}")
        if self.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(weights, self.clip, norm)
        return value

    def reward(self, batch: Batch) -> float:
        """The objective on a batch of the validation part, with the gates as they are set.

        To be maximised: it is the negative of a metric that is to be small. Normalisation is by
        the statistics of the batch, for no running ones fit all paths.
        """
        return self._reward([batch])

    def measured(self, batches: Iterable[Batch] | None) -> Mapping[str, float]:
        """The metrics on batches of the validation part, with the gates as they are set.

        The objective's is among them; normalisation is as for `reward`.

        Args:
            batches: the whole part if None.
        """
        goal, program = self.task.objective, self.net.program
        with torch.no_grad(), batch_statistics(program.model):
            found: Mapping[str, float] = program.evaluate(batches)
        if goal.metric not in found:
            raise UserError(
                f"the objective is {goal.metric}, and evaluate() gives {', '.join(found)}",
                path="objective",
                hint="a search by weight sharing is rewarded by what evaluate() gives",
            )
        return found

    def score(self, decisions: Decisions, batches: Iterable[Batch] | None = None) -> float:
        """The reward of one record with the shared weights.

        Args:
            batches: the whole validation part if None.
        """
        self.net.choose(decisions)
        return self._reward(batches)

    def draw(self, policy: Policy | None = None, most: int = MOST_DRAWS) -> Decisions:
        """A random record that the constraints accept, or the last of so many draws.

        Args:
            policy: that it is drawn from; None: from the whole space.
        """
        space, settled = self.net.space, self.net.settled
        for _ in range(most):
            found = (
                space.sample(self.rng)
                if policy is None
                else sample(space, policy, self.rng, settled)
            )
            if self.task.accepts(found):
                break
        return found

    def ranked(
        self, records: Iterable[Decisions], batches: Sequence[Batch], finalists: int = 1
    ) -> list[Decisions]:
        """Records from the best to the worst, by their rewards with the shared weights.

        Args:
            batches: of the validation part, on which all are judged.
            finalists: how many of the best are judged again, on the whole part, if above 1.
        """
        scores = {each: self.score(each, batches) for each in dict.fromkeys(records)}
        order = sorted(scores, key=lambda each: _rank(scores[each]))
        if finalists > 1:
            again = {each: self.score(each) for each in order[:finalists]}
            order[:finalists] = sorted(again, key=lambda each: _rank(again[each]))
        return order

    def _require_abilities(self, net: Supernet) -> None:
        """Raise `UserError` for points beside the network that this algorithm cannot search."""
        beside = {"live": net.live, "inert": net.inert}
        asked = {kind: indices for kind, indices in beside.items() if indices}
        if all(getattr(self, kind) for kind in asked):
            return
        from automl_algorithms import catalogue

        wanted = kinds(net.space.points[index] for index in net.gates)
        able = [
            name
            for name in catalogue.names(family="weight_sharing")
            if wanted <= catalogue.accepts(name)
            and all(getattr(catalogue.load(name), kind) for kind in asked)
        ]
        problems = Problems()
        for kind, indices in asked.items():
            if getattr(self, kind):
                continue
            points = [net.space.points[index] for index in sorted(indices)]
            problems.add(
                f"{self.name} cannot search {listed(p.id for p in points)}: {_BESIDE[kind]}",
                points[0].mark,
                "algorithm",
                f"these can: {', '.join([*able, 'and by trials random, evolution, bayesian'])}",
            )
        raise UserError(problems.found)

    def _reward(self, batches: Iterable[Batch] | None) -> float:
        goal = self.task.objective
        return goal.reward(float(self.measured(batches)[goal.metric]))


_BESIDE = {
    "live": "they are no part of the network, but hyperparameters of its training",
    "inert": "they are no part of the network, and act through costs alone",
}


def _rank(reward: float) -> float:
    """To sort by; what is not a number comes last."""
    return math.inf if math.isnan(reward) else -reward


def mean_entropy(policy: Policy) -> float:
    """Of the distributions of all points, each as a share of its largest: 1 uniform, 0 decided."""
    shares = [entropy(chances) for chances in policy.values() if len(chances) > 1]
    return sum(shares) / len(shares) if shares else 0.0
