"""The loop of a weight-sharing search: its order, its records, and that it can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms import catalogue
from automl_algorithms.weight_sharing.loop import MOST_SKIPPED, Loop, Record
from automl_algorithms.weight_sharing.rsps import RSPS
from automl_algorithms.weight_sharing.search import Batch, Diverged, Moment, Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_spaces import oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .stepwise import Fit, conv, identity, sequential

SMALL = Objective("loss", "minimize")


class Noisy(Fit):
    """Batches and dropout that differ from step to step, two epochs of five steps."""

    def __init__(self, model: Any, seekable: bool = True, bad: int = -1) -> None:
        super().__init__(model, lr=0.02)
        self.epochs, self.steps = 2, 5
        self.epoch = self.validations = 0
        self.bad = bad  # the step whose batch is not finite
        if seekable:
            self.seek = self._seek

    def _seek(self, epoch: int, validations: int) -> None:
        self.epoch, self.validations = epoch, validations

    def train_batches(self) -> Iterator[Any]:
        """Five batches, and noise of the global generator for the step itself."""
        self.epoch += 1
        generator = torch.Generator().manual_seed(self.epoch)
        torch.manual_seed(100 + self.epoch)
        for step in range(self.steps):
            images = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
            if (self.epoch - 1) * self.steps + step == self.bad:
                images = images * torch.nan
            yield images, torch.ones((), dtype=torch.float64)

    def valid_batches(self) -> Iterator[Any]:
        """Three batches of an order of their own."""
        generator = torch.Generator().manual_seed(1000 + self.validations)
        self.validations += 1
        for _ in range(3):
            images = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
            yield images, torch.ones((), dtype=torch.float64)

    def loss(self, batch: Any) -> Tensor:
        """With dropout, whose noise is part of what a resumed search must repeat."""
        images, target = batch
        return super().loss((nn.functional.dropout(images, 0.2, self.model.training), target))


class Watched(RSPS):
    """Also looks at a validation batch in each step, and notes the moments."""

    def setup(self, *args: Any) -> None:
        """Begin the notes."""
        super().setup(*args)
        self.moments: list[Moment] = []

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """As RSPS."""
        self.moments.append(at)
        found = super().step(train, valid, at)
        self.net.choose(self.draw())
        return {**found, "reward": self.reward(valid())}


def loop(bad: int = -1, seekable: bool = True, **options: Any) -> Loop:
    """A search over two layers, one of them with momentum to be kept."""
    edge = oneof([conv(3, 3, 3, padding=1), identity()])
    program = symbolize(Noisy)(model=sequential(edge, conv(3, 3, 1)), seekable=seekable, bad=bad)
    net = lower(Space(program))
    net.program.optimizer.param_groups[0]["momentum"] = 0.9
    return Loop(net, Watched(), Task(SMALL, seed=3), **options)


def test_every_step_in_its_moment() -> None:
    """Epochs and steps are counted, and the program's epochs are the search's."""
    run = loop(epochs=3)
    records = list(run)
    assert run.net.program.epochs == 3
    assert run.search.moments == [Moment(i // 5, i, 3, 15) for i in range(15)]  # type: ignore[attr-defined]
    assert [r.at.step for r in records] == list(range(15))
    assert records[-1].at.by_epoch == 1
    assert records[0].at.progress == 0
    assert all({"loss", "reward", "entropy"} <= r.metrics.keys() for r in records)
    assert records[-1].metrics["entropy"] == pytest.approx(1)


def test_records_are_means_over_their_steps() -> None:
    """Few records of many steps, one at the end of each epoch."""
    fine = [r.metrics["loss"] for r in loop()]
    coarse = list(loop(records=5))
    assert [r.at.step for r in coarse] == [1, 3, 4, 6, 8, 9]
    assert coarse[0].metrics["loss"] == pytest.approx(sum(fine[:2]) / 2)
    assert coarse[2].metrics["loss"] == pytest.approx(fine[4])


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("stop", range(10))
def test_a_search_goes_on_bit_for_bit(tmp_path: Path, stop: int, seekable: bool) -> None:
    """From any record, in another process, through a file that holds no pickled objects."""
    whole = loop(seekable=seekable)
    expected = list(whole)
    first = loop(seekable=seekable)
    for i, _ in enumerate(first):
        if i == stop:
            break
    torch.save(first.state_dict(), tmp_path / "state.pt")
    torch.rand(7)  # another process has another global generator
    again = loop(seekable=seekable)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    rest = list(again)
    assert [r.metrics for r in rest] == [r.metrics for r in expected[stop + 1 :]]
    after, wanted = again.net.model.state_dict(), whole.net.model.state_dict()
    assert all(torch.equal(after[key], wanted[key]) for key in wanted)


def test_seconds_add_up() -> None:
    """Those of the process before count."""
    first = loop()
    state = next((first.state_dict() for _ in first), {})
    state["seconds"] += 1000.0
    again = loop()
    again.load_state_dict(state)
    records: list[Record] = list(again)
    assert 1000 < records[0].seconds < records[-1].seconds < 1100


def test_not_a_number_stops_the_search_before_the_weights_are_touched() -> None:
    """The message says where."""
    run = loop(bad=6)
    with pytest.raises(Diverged, match="step 6: loss nan"):
        list(run)
    assert all(w.isfinite().all() for w in run.net.model.parameters())


def test_not_a_number_costs_that_step_alone() -> None:
    """By the option."""
    run = loop(bad=6, on_nan="skip")
    records = list(run)
    assert len(records) == 10
    assert [r.metrics.get("skipped", 0) for r in records] == [0] * 6 + [1] * 4
    assert all(w.isfinite().all() for w in run.net.model.parameters())


def test_many_in_a_row_stop_it_all_the_same() -> None:
    """Then the weights themselves are broken."""
    run = loop(on_nan="skip", epochs=20)
    with torch.no_grad():
        for weight in run.net.model.parameters():
            weight.fill_(torch.nan)
    with pytest.raises(Diverged, match=f"step {MOST_SKIPPED - 1}: loss nan"):
        list(run)


def test_a_state_of_another_length_is_refused() -> None:
    """Schedules would not go on where they were."""
    first = loop()
    state = next((first.state_dict() for _ in first), {})
    with pytest.raises(Exception, match="of 2 epochs of 5 steps, not 4 of 5"):
        loop(epochs=4).load_state_dict(state)


def test_a_metric_that_evaluate_lacks_is_named() -> None:
    """With those that it gives."""
    run = loop()
    run.search.task = run.task._replace(objective=Objective("accuracy"))
    with pytest.raises(UserError, match=r"objective is accuracy, and evaluate\(\) gives loss"):
        list(run)


def test_evaluation_leaves_the_running_statistics() -> None:
    """And it is by the batch: two paths of different scale are both judged fairly."""
    norm = symbolize(nn.BatchNorm2d)
    net = lower(Space(symbolize(Fit)(model=sequential(oneof([identity(), norm(3)])))))
    search = catalogue.create("rsps")
    search.setup(net, Task(SMALL))
    before = {k: v.clone() for k, v in net.model.state_dict().items() if "running" in k}
    net.gates[0].choose(1)
    images, target = net.program.batch
    found = search.reward((images * 10 + 5, target))
    net.model.train()
    assert found == pytest.approx(-net.program.loss((images * 10 + 5, target)).item())
    assert before
    search.reward((images * 10 + 5, target))
    module = net.model[0].candidates[1]
    assert module.momentum == 0.1
    assert not [h for m in net.model.modules() for h in m._forward_pre_hooks]
