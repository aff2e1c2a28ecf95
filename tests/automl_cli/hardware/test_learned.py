"""A learned cost model: fitted, kept in a file, used as an accelerator's."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from automl_cli.costs import Infeasible
from automl_cli.costs.layers import LayerSpec
from automl_cli.hardware import analytic
from automl_cli.hardware.edge_accelerator import EdgeAccelerator, grid
from automl_cli.hardware.layers import Network
from automl_cli.hardware.learned import LearnedDevice, LearnedModel, features, fit, load
from automl_cli.hardware.silicon import Array
from automl_spaces.errors import UserError


def network(rng: random.Random) -> Network:
    """Of a few layers."""
    c, size = rng.randrange(16, 128), rng.choice([14, 28, 56])
    kinds = [
        LayerSpec("conv", c, 2 * c, size, size),
        LayerSpec("depthwise", c, c, size, size, rng.choice([3, 5, 7]), 1, c),
        LayerSpec("conv", c, c, size, size, 3),
    ]
    return Network.of([*rng.choices(kinds, k=8), LayerSpec("linear", c, 100, 1, 1)])


def samples(count: int) -> tuple[list[Network], Array, Array]:
    """Networks, accelerators [N, 7], and latency and energy [N, 2]."""
    rng, space = random.Random(0), grid()
    space = space[analytic.buildable(space)]
    networks = [network(rng) for _ in range(count)]
    hardware = space[[rng.randrange(len(space)) for _ in range(count)]]
    found = [
        analytic.evaluate(n.layers, n.counts, row[None])
        for n, row in zip(networks, hardware, strict=True)
    ]
    wanted = np.array([[costs.latency_ms[0], costs.energy_mj[0]] for costs in found])
    return networks, hardware, wanted


@pytest.fixture(scope="module")
def fitted() -> tuple[LearnedModel, list[Network], Array, Array]:
    """A model of 1,000 samples, and 200 others."""
    networks, hardware, wanted = samples(1200)
    rows = features(networks, hardware)
    model = fit(rows[:1000], *wanted[:1000].T, epochs=30, hidden=(64, 64))
    return model, networks[1000:], hardware[1000:], wanted[1000:]


def test_it_ranks_what_it_has_not_seen(
    fitted: tuple[LearnedModel, list[Network], Array, Array],
) -> None:
    """Little data and little time: already a rank correlation above 0.95 (see benchmarks)."""
    model, networks, hardware, wanted = fitted
    guess = model.predict(features(networks, hardware))
    for column in range(2):
        ranks = [v[:, column].argsort().argsort() for v in (guess, wanted)]
        assert np.corrcoef(*ranks)[0, 1] > 0.95


def test_it_is_a_cost_model(
    fitted: tuple[LearnedModel, list[Network], Array, Array], tmp_path: Path
) -> None:
    """Saved and read again it answers the same, and the area is exact."""
    model, networks, hardware, _ = fitted
    path = str(tmp_path / "edge.npz")
    model.save(path)
    row = hardware[0].tolist()
    device = EdgeAccelerator(*row, cost_model="learned", file=path)
    found = device.cost(networks[0])
    expected = model.predict(features(networks[:1], hardware[:1]))[0]
    assert found[:2] == pytest.approx(expected)
    assert found.area_mm2 == EdgeAccelerator(*row).cost(networks[0]).area_mm2
    assert found.per_layer == ()
    with pytest.raises(Infeasible):
        EdgeAccelerator(simd=128, register_file_kb=8, cost_model="learned", file=path).cost(
            networks[0]
        )
    with pytest.raises(UserError, match="fitted to accelerators"):
        LearnedDevice(path).cost(networks[0])


def test_the_same_seed_gives_the_same_model() -> None:
    """And another seed another one; nobody else's random numbers are touched."""
    rng = np.random.default_rng(0)
    rows, latency = rng.normal(size=(40, 5)), rng.uniform(1, 2, 40)
    models = [fit(rows, latency, epochs=2, seed=seed) for seed in (0, 0, 1)]
    first, again, other = (model.predict(rows)[:, 0].tolist() for model in models)
    assert first == again != other


def test_a_device_without_energy_and_accelerator(tmp_path: Path) -> None:
    """Latencies of networks on one device."""
    networks, _, wanted = samples(64)
    path = str(tmp_path / "phone.npz")
    fit(features(networks), wanted[:, 0], epochs=3).save(path)
    found = LearnedDevice(path).cost(networks[0])
    assert found.latency_ms > 0
    assert found.energy_mj is None
    with pytest.raises(UserError, match="fitted without accelerators"):
        EdgeAccelerator(cost_model="learned", file=path).cost(networks[0])


def test_files_that_are_none(tmp_path: Path) -> None:
    """Missing, not an archive, of another kind, or with something to be executed in it."""
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", x=np.zeros(2))
    np.savez(tmp_path / "pickle.npz", mean=np.array([{}], dtype=object))
    for name in ("missing.npz", "text.npz", "other.npz", "pickle.npz"):
        with pytest.raises(UserError, match="cannot be read as a learned cost model"):
            load(str(tmp_path / name))
