"""TuNAS: REINFORCE over the paths of a supernet, with a cost to be met.

Bender et al. 2020 (arXiv 2008.06120). Every step draws one record. Its path is trained on a
training batch, and then judged on a validation batch:

    R = Q + beta |T / T0 - 1|,  beta < 0           the absolute reward, section 3.1
    ascend (R - b) grad log p(record),  b the running mean of R

Several `samples` that are judged on the same images are compared with each other: b is the mean of
the others' R, and what the images have in common for all paths is then no noise. That is most of
it, so by default four are judged in every fourth step, rather than one in each; and the rest of it
falls with the number of images, so several batches are joined.

Q is the quality, T a cost of the record and T0 its target: so the search itself ends where the
cost is met, while with earlier rewards (Tan et al. 2019, MnasNet) beta had to be tuned for it.

Where the search ends with changes of the static program (`_backed`), the policy rests for most of
the time (`survey`), at the most even one that meets the targets of the costs in the mean (`_even`).
What a policy prefers is trained more, and then judged to be better for that: effects that are found
beside a policy that learns are about what it happened to try first, and those of two seeds had
nothing in common.

At first nothing is judged (`delay`), and the weights are warmed up: with a probability that falls
linearly from 1 to 0, a decision between modules has all of them computed with equal weights, and
a decision about a size takes the largest. Only active decisions count in log p.

With an accelerator among the decisions this is the one-shot search of NAHAS (Zhou et al. 2021,
arXiv 2102.08619, section 4). Q does not depend on such inert decisions: so each step prices several
accelerators for the network that it has judged, and their policy ascends by these rewards alone,
(R - mean) / deviation, which are without noise, and alike whether the target is near or far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from statistics import fmean, pstdev
from typing import Any, ClassVar, Literal

import torch

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing._backed import Backed
from automl_algorithms.weight_sharing._effects import Effects
from automl_algorithms.weight_sharing._even import RECORDS, even
from automl_algorithms.weight_sharing._evidence import Evidence
from automl_algorithms.weight_sharing._presets import chosen, one_of
from automl_algorithms.weight_sharing._rewards import Rewards
from automl_algorithms.weight_sharing._targets import targets
from automl_algorithms.weight_sharing._tunas_presets import PRESETS
from automl_algorithms.weight_sharing._warm_up import force
from automl_algorithms.weight_sharing.derivation import Policy, preferred
from automl_algorithms.weight_sharing.feed import joined
from automl_algorithms.weight_sharing.front import checked_cost, shared_front
from automl_algorithms.weight_sharing.logits import Logits
from automl_algorithms.weight_sharing.search import Batch, Moment, SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_algorithms.weight_sharing.tree import listed
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError


@algorithm
class TuNAS(SupernetSearch):
    """REINFORCE over paths with a cost to be met.

    Args:
        preset: a named setting of the thirteen options below.
        lr: of the policy.
        growth: what the learning rate is multiplied by from the end of the rest to the end.
        beta: weight of the cost in the reward; negative.
        delay: share of the search in which nothing is judged, and the policy rests.
        survey: share of the search in which the policy rests where the search ends with changes of
            the static program (see `unidentified`), if that is longer.
        warmup: share of the search in which decisions may be forced; at most the delay.
        resample: judge another path than the one that was trained in the step.
        every: paths are judged in each so manieth step.
        samples: how many then, on the same images.
        batches: of the validation part, which are joined for that.
        momentum: the first of Adam's decay rates; TuNAS has 0.
        scale: standard deviation of the logits to begin with.
        unidentified: what the search ends with: the static program, changed as far as all changes
            together gain by more than four standard errors, in the loss where the program gives
            one, if that program is in the space and meets the targets of the costs; or what the
            policy prefers.
        cost: the name of a cost in the recipe; None: all that its constraints bound.
        target: of that cost; None: the middle of its bounds, or the one bound that there is.
        shape: of the reward; None: absolute, but hinge for a cost with an upper bound only.
        baseline: decay of the running mean of the rewards.
        priced: records that differ in inert decisions alone and are priced in each step.
        clip: norm that a gradient of the weights may have; None for any.
        front: a cost; the search ends with records of the front of quality and this cost, and not
            with those that its policy prefers.
        networks: how many are judged by shared weights to find the front.
    """

    inert: ClassVar[bool] = True

    def __init__(
        self,
        *,
        preset: Literal["default", "paper", "nats"] = "default",
        lr: float | None = None,
        growth: float | None = None,
        beta: float | None = None,
        delay: float | None = None,
        survey: float | None = None,
        warmup: float | None = None,
        resample: bool | None = None,
        every: int | None = None,
        samples: int | None = None,
        batches: int | None = None,
        momentum: float | None = None,
        scale: float | None = None,
        unidentified: Literal["static", "policy"] | None = None,
        cost: str | None = None,
        target: float | None = None,
        shape: Literal["absolute", "hinge", "mnas", "mnas_hard"] | None = None,
        baseline: float = 0.95,
        priced: int = 16,
        clip: float | None = None,
        front: str | None = None,
        networks: int = 128,
    ) -> None:
        self.options = chosen(
            PRESETS, preset, lr=lr, growth=growth, beta=beta, delay=delay, survey=survey,
            warmup=warmup, resample=resample, every=every, samples=samples, batches=batches,
            momentum=momentum, scale=scale, unidentified=unidentified,
        )  # fmt: skip
        one_of("unidentified", self.options.unidentified, ("static", "policy"))
        if not 0 <= self.options.warmup <= self.options.delay < 1:
            raise UserError(
                "expected 0 <= warmup <= delay < 1, got warmup "
                f"{self.options.warmup:g} and delay {self.options.delay:g}"
            )
        if not 0 <= self.options.survey < 1:
            raise UserError(f"expected 0 <= survey < 1, got {self.options.survey:g}")
        for name in ("every", "samples", "batches"):
            if getattr(self.options, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self.options, name)}")
        if priced < 2:
            raise UserError(f"priced must be at least 2, for a comparison, got {priced}")
        if networks < 1:
            raise UserError(f"networks must be at least 1, got {networks}")
        if self.options.beta > 0:
            raise UserError(f"beta {beta:g} would reward the cost: it must not be positive")
        self.cost, self.target, self.shape, self.baseline = cost, target, shape, baseline
        self.priced, self.clip = priced, clip
        self.front, self.networks = front, networks

    def setup(self, net: Supernet, task: Task) -> None:
        """A uniform policy; the targets of the costs."""
        super().setup(net, task)
        wanted = targets(task.bounds, self.cost, self.target, self.shape)
        self.rewards = Rewards(wanted, self.options.beta, self.baseline)
        if self.front is not None:
            checked_cost(self.front, task.costs(net.space.sample(self.rng)))
        if net.inert and not wanted:
            ids = listed(net.space.points[index].id for index in sorted(net.inert))
            raise UserError(
                f"nothing rewards {ids}: it acts through costs alone, and no cost has a target",
                hint="constraints: {latency_ms: {max: ...}} in the recipe, or the options cost "
                "and target",
            )
        self.logits = Logits(net, self.options.scale, self.generator)
        self.optimizer = torch.optim.Adam(
            self.logits.parameters(), self.options.lr, betas=(self.options.momentum, 0.999)
        )
        self.operations = net.switched()
        self.evidence = Evidence()
        self.static = self._static()
        sizes = {index: gate.size for index, gate in net.gates.items()}
        self.effects = Effects(sizes)
        if self.static is not None and wanted:
            records = [net.space.sample(self.rng) for _ in range(RECORDS)]
            self.logits.set(even(sizes, records, task.costs, wanted))

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """The weights of one path, then its reward, then the policy."""
        decisions = self.logits.sample(self.rng)
        self.net.choose(decisions)
        self._force(decisions, at, self.net.live | self.net.inert)
        seen = {"loss": self.train_weights(train)}
        if at.progress < self.options.delay or at.step % self.options.every:
            return seen
        drawn = [] if self.options.resample else [decisions]
        while len(drawn) < self.options.samples:
            drawn.append(self.logits.sample(self.rng))
        batches = joined(self.net.program, [valid() for _ in range(self.options.batches)])
        judged, shown = zip(*(self._judged(each, batches) for each in drawn), strict=True)
        self.effects.take(drawn, shown, at.progress)
        shared = self.net.gates.keys() - self.net.inert
        if at.progress >= self.rest:
            self._ascend(drawn, [found["reward"] for found in judged], at, shared)
        if self.net.inert:
            for each, found in zip(drawn, judged, strict=True):
                self._ascend_inert(each, found["quality"], at)
        for key in judged[0]:
            finite = [found[key] for found in judged if math.isfinite(found[key])]
            if finite:
                seen[key] = sum(finite) / len(finite)
        return seen

    def policy(self) -> Policy:
        """As learned so far."""
        return self.logits.probabilities()

    def derive(self, valid: Callable[[], Batch]) -> Iterator[Decisions]:
        """The front, if one is asked for; what its effects back; then what the policy prefers."""
        if self.front is not None:
            policy = partial(self.logits.sample, self.rng)
            yield from shared_front(self, self.front, self.networks, policy, valid)
        backed = self._backed()
        if backed is not None:
            yield backed[1]
        yield from super().derive(valid)

    def found(self) -> dict[str, float]:
        """As `evidence/<index>`, how well what the policy prefers is backed, in standard errors.

        And of the static program, if the search ends with that or changes of it: how many there
        are (`backed/changes`), what they gain together (`backed/gain`) and its standard error
        (`backed/error`).
        """
        policy = self.policy().items()
        told = {
            f"evidence/{index}": self.evidence.of(index, preferred(p))
            for index, p in policy
            if len(p) > 1
        }
        backed = self._backed()
        if backed is not None:
            static, record = backed
            changes = sum(a != b for a, b in zip(static.values, record.values, strict=True))
            means, errors = self.effects.gains([record], static)
            told["backed/changes"] = float(changes)
            told["backed/gain"] = float(means[0])
            told["backed/error"] = float(errors[0, 0].clamp(min=0).sqrt())
        return told

    def _backed(self) -> tuple[Decisions, Decisions] | None:
        """The static program's record, and the one with changes that are backed.

        None where the search ends with its policy.
        """
        if self.static is None:
            return None
        settled, policy = self.net.settled, self.policy()
        found = Backed(self.static, policy, self.effects, self._meets, settled).record()
        return None if found is None else (self.static, found)

    def _static(self) -> Decisions | None:
        """The static program's record, if the search may end with it.

        One that misses the targets of the costs is no place to begin at.
        """
        static = self.net.space.default()
        if self.options.unidentified != "static" or self.net.inert or static is None:
            return None
        return static if self._meets(static) else None

    @property
    def rest(self) -> float:
        """The share of the search in which the policy rests."""
        delay = self.options.delay
        return delay if self.static is None else max(delay, self.options.survey)

    def _meets(self, decisions: Decisions) -> bool:
        """Whether a record keeps the constraints, and its costs are as good as on their targets."""
        if not self.task.accepts(decisions):
            return False
        return self.rewards.on_target(self.task.costs(decisions))

    def _judged(
        self, decisions: Decisions, batches: Sequence[Batch]
    ) -> tuple[dict[str, float], float]:
        """The quality of a record on some batches, its reward, its costs; and what is explained.

        That is the loss, if the program gives it: of records on one batch it tells several times as
        much as an accuracy, which counts a hundred images as right or wrong.
        """
        self.net.choose(decisions)
        goal, metrics = self.task.objective, self.measured(batches)
        found = self._priced(decisions, goal.reward(float(metrics[goal.metric])))
        return found, -float(metrics["loss"]) if "loss" in metrics else found["quality"]

    def _priced(self, decisions: Decisions, quality: float) -> dict[str, float]:
        wanted = self.rewards.targets
        costs = self.task.costs(decisions) if wanted else {}  # to count them takes time
        found = {"quality": quality, "reward": self.rewards.of(quality, costs)}
        return found | {name: costs[name] for name in wanted}

    def _force(self, decisions: Decisions, at: Moment, spared: Collection[int] = ()) -> None:
        """The warm-up: some gates, but those of spared points, are set otherwise than decided."""
        warmup = self.options.warmup
        chance = 1 - at.progress / warmup if warmup else 0.0
        force(self.net, decisions, chance, self.rng, self.operations, spared)

    def _ascend(
        self,
        drawn: list[Decisions],
        rewards: list[float],
        at: Moment,
        learning: Collection[int] | None = None,
    ) -> None:
        self._follow(drawn, self.rewards.take(rewards), at, learning)

    def _ascend_inert(self, decisions: Decisions, quality: float, at: Moment) -> None:
        """Compare records that are as this one, and as good, but for their inert decisions."""
        drawn = [self._redrawn(decisions) for _ in range(self.priced)]
        rewards = [self.rewards.of(quality, self.task.costs(each)) for each in drawn]
        spread = pstdev(rewards)
        if spread > 0:
            mean = fmean(rewards)
            advantages = [(reward - mean) / spread for reward in rewards]
            self._follow(drawn, advantages, at, self.net.inert)

    def _redrawn(self, decisions: Decisions) -> Decisions:
        """A record with inert decisions drawn anew; no other decision depends on them."""
        drawn = self.logits.sample(self.rng).values
        values = enumerate(zip(decisions.values, drawn, strict=True))
        return Decisions(
            self.net.space,
            tuple(new if index in self.net.inert else old for index, (old, new) in values),
        )

    def _follow(
        self,
        drawn: list[Decisions],
        advantages: list[float],
        at: Moment,
        learning: Collection[int] | None = None,
    ) -> None:
        """A step of the policy of the points that are learning; None: of all."""
        lr, past = self.options.lr, (at.progress - self.rest) / (1 - self.rest)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * self.options.growth**past
        gates = self.net.gates if learning is None else learning
        terms = []
        for decisions, advantage in zip(drawn, advantages, strict=True):
            terms.append(-advantage / len(drawn) * self.logits.log_prob(decisions, learning))
            self.evidence.take(decisions, advantage, gates)
        self.optimizer.zero_grad()
        loss = torch.stack(terms).sum()
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """The policy, its optimiser and the baseline too."""
        return super().state_dict() | {
            "logits": self.logits.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rewards": self.rewards.state_dict(),
            "evidence": self.evidence.state_dict(),
            "effects": self.effects.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.logits.load_state_dict(state["logits"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rewards.load_state_dict(state["rewards"])
        self.evidence.load_state_dict(state["evidence"])
        self.effects.load_state_dict(state["effects"])
