"""A training of milliseconds with a decision of each kind: a real classifier of forty dots.

A recipe names the data with `imports: [tests.automl_cli.decided]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from automl_cli.datasets.splits import InMemory
from tests.automl_cli.command_line import Project, as_text


class Dots(InMemory):
    """Images of 4 x 4 noise, brighter for the second class."""

    shape: ClassVar[tuple[int, ...]] = (1, 4, 4)
    classes: ClassVar[int] = 2

    def __init__(self, split_seed: int = 0) -> None:
        self.split_seed = split_seed

    def read(self) -> Any:
        """Forty images; 24 of them train."""
        labels = np.arange(40) % 2
        images = (
            np.random.default_rng(0).integers(0, 100, (40, 1, 4, 4))
            + 100 * labels[:, None, None, None]
        )
        return images.astype("uint8"), labels


PROGRAM = (
    "!Classifier {model: !MobileNetV2 {width: 0.25, stem: 8, head: 16, stem_stride: 1, blocks: "
    "[!InvertedResidual {filters: 64, expansion: 1}]}, optimizer: !SGD {lr: 0.1, momentum: 0.9, "
    "weight_decay: 0.0}, data: !tests.automl_cli.decided.Dots {}, epochs: 3, batch_size: 12, "
    "augment: [!Mixup {alpha: 0.0}], device: cpu}"
)
OVERLAYS = {
    "learning_rate": "{at: optimizer.lr, replace: !oneof [0.05, 0.1]}",
    "weight_decay": "{at: optimizer.weight_decay, replace: !oneof [0.0, 0.1]}",
    "augmentation": "{at: 'augment[0].alpha', replace: !oneof [0.0, 0.4]}",
    "dropout": "{at: model.dropout, replace: !oneof [0.0, 0.3]}",
    "architecture": "{at: 'model.blocks[0].filters', replace: !oneof [32, 64]}",
}
"""By the kind of decision that they open."""
POINTS = {kind: text.split("at: ")[1].split(",")[0].strip("'") for kind, text in OVERLAYS.items()}
"""The decision points that these make."""


def write_decided(project: Project, algorithm: str, kinds: Iterable[str], **keys: str) -> None:
    """A recipe that searches decisions of these kinds."""
    space = ", ".join(OVERLAYS[kind] for kind in kinds)
    recipe = {
        "imports": "[tests.automl_cli.decided]",
        "program": PROGRAM,
        "space": f"[{space}]",
        "objective": "{maximize: accuracy}",
        "algorithm": algorithm,
        "budget": "{trials: 2}",
        "baseline": "false",
        "run": "{executor: inline}",
        "tracking": "{enabled: false}",
    }
    project.write("recipe.yaml", as_text({**recipe, **keys}))
