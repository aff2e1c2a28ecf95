"""FCNet (Klein and Hutter 2019, arXiv 1905.04970): architecture and hyperparameters, looked up."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Literal

from automl_cli.tables.fcnet import EPOCHS, fcnet_key, fcnet_table
from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_spaces.trial import Trial


@register
class TabularFCNet:
    """Answers with the recorded results of a network of two layers, trained for 100 epochs.

    Metrics: `mse`, to be minimised, on the validation rows; `simulated_seconds` of the training;
    `params`, the number of weights; `mean_mse` over the four recorded trainings, which is only
    for reports.

    The source holds no learning curves, so the only budget is all 100 epochs.

    Args:
        dataset: what is to be predicted.
        init_lr: initial learning rate of Adam: 5e-4, 1e-3, 5e-3, 1e-2, 5e-2 or 1e-1.
        batch_size: rows per step.
        lr_schedule: how the learning rate goes on.
        activation_fn_1, activation_fn_2: of the two layers.
        n_units_1, n_units_2: their sizes.
        dropout_1, dropout_2: their rates of dropout: 0, 0.3 or 0.6.
        seeds: answer with one recorded training, chosen by the trial's seed, or with the mean.
    """

    def __init__(
        self,
        dataset: Literal[
            "naval_propulsion",
            "parkinsons_telemonitoring",
            "protein_structure",
            "slice_localization",
        ],
        init_lr: float = 1e-3,
        batch_size: Literal[8, 16, 32, 64] = 32,
        lr_schedule: Literal["cosine", "const"] = "const",
        activation_fn_1: Literal["relu", "tanh"] = "relu",
        activation_fn_2: Literal["relu", "tanh"] = "relu",
        n_units_1: Literal[16, 32, 64, 128, 256, 512] = 64,
        n_units_2: Literal[16, 32, 64, 128, 256, 512] = 64,
        dropout_1: float = 0.0,
        dropout_2: float = 0.0,
        seeds: Literal["random", "mean"] = "random",
    ) -> None:
        self.dataset, self.seeds = dataset, seeds
        self.values = (
            activation_fn_1,
            activation_fn_2,
            batch_size,
            dropout_1,
            dropout_2,
            init_lr,
            lr_schedule,
            n_units_1,
            n_units_2,
        )

    def __call__(self, trial: Trial) -> dict[str, float]:
        """The metrics.

        Raises:
            UserError: a value that is not in the table, a budget, or no package.
        """
        setting = fcnet_table(self.dataset)[fcnet_key(self.values)]
        budget = trial.budget
        if budget is not None and int(budget) != EPOCHS:
            raise UserError(
                f"FCNet is recorded after {EPOCHS} epochs only, not after {budget:g}",
                hint="choose an algorithm that grants every trial its full budget",
            )
        if self.seeds == "random":
            mse, seconds = Random(trial.seed).choice(setting.trainings)
        else:
            mse = setting.mse
            seconds = sum(t.seconds for t in setting.trainings) / len(setting.trainings)
        return {
            "mse": mse,
            "simulated_seconds": seconds,
            "params": setting.params,
            "mean_mse": setting.mse,
        }
