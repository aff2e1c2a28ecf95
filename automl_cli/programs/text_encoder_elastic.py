"""A text encoder whose rate of dropout is a choice: one network, whose gate says the rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_algorithms.weight_sharing.elastic import Build, elastic_rule
from automl_algorithms.weight_sharing.slicing import elastic
from automl_cli.programs.drop_path_elastic import replace_dropout
from automl_cli.programs.text_encoder import TextEncoder

if TYPE_CHECKING:
    from automl_spaces.symbols import Symbol


class ElasticTextEncoder(TextEncoder):
    """A text encoder with one elastic rate everywhere.

    Args:
        dropout: an elastic number.
        sizes: the other arguments.
    """

    def __init__(self, dropout: Any, **sizes: Any) -> None:
        super().__init__(dropout=0.0, **sizes)
        self.rate = dropout

    def build_for(self, shape: tuple[int, ...], classes: int) -> TextEncoder:
        """Make every layer, with fresh weights, for texts of length `shape[0]`; returns itself."""
        super().build_for(shape, classes)
        replace_dropout(self, self.rate)
        return self


@elastic_rule(TextEncoder, "dropout")
def text_encoder(node: Symbol, build: Build) -> Any:
    """The network once; the rule is asked only if its rate is a choice."""
    return ElasticTextEncoder(**{name: elastic(value) for name, value in node.args.items()})
