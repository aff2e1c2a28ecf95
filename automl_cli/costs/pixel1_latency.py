"""Latency of a ProxylessNAS-like MobileNet on the CPU of a Pixel 1: a table, a sum over layers.

The linear model that TuNAS ships for its space `proxylessnas_search` (google-research/tunas,
`cost_model_data.py`, Apache-2.0; Bender et al. 2020, arXiv 2008.06120, section 5), decoded to
milliseconds: a constant, and for each block what its kernel size, expansion factor or absence
adds. It holds for images of 224 x 224 and the channels of that space only.
"""

from __future__ import annotations

from typing import Any, Final

from automl_spaces.errors import UserError
from automl_spaces.registry import register
from automl_spaces.symbols import Symbol

FILTERS: Final = (16, *(32,) * 4, *(40,) * 4, *(80,) * 4, *(96,) * 4, *(192,) * 4, 320)
STRIDES: Final = (1, *(2, 1, 1, 1) * 3, *(1, 1, 1, 1), *(2, 1, 1, 1), 1)
CONSTANT: Final = 92.136
FIRST: Final = {3: -1.753, 5: 2.352, 7: 8.227}  # by the kernel size of the first, unexpanded block
COLUMNS: Final = ((3, 3), (3, 6), (5, 3), (5, 6), (7, 3), (7, 6))  # kernel size, expansion
BLOCKS: Final = (
    (-4.025, 0.270, -2.305, 5.152, 1.889, 7.845),
    (-4.248, 1.260, -1.147, 6.562, 2.291, 13.846, -9.738),
    (-4.244, 1.258, -1.139, 6.564, 2.287, 13.841, -9.742),
    (-4.245, 1.267, -1.139, 6.553, 2.287, 13.850, -9.746),
    (-1.444, 1.746, -0.750, 3.316, 0.303, 5.656),
    (-0.423, 1.782, 0.274, 3.007, 1.296, 5.150, -2.260),
    (-0.418, 1.779, 0.271, 3.005, 1.291, 5.148, -2.249),
    (-0.424, 1.783, 0.277, 3.008, 1.289, 5.147, -2.253),
    (0.399, 1.818, 0.622, 2.256, 0.902, 2.831),
    (0.315, 1.993, 0.631, 2.563, 1.072, 3.342, -1.091),
    (0.319, 1.989, 0.630, 2.557, 1.075, 3.341, -1.085),
    (0.320, 1.990, 0.629, 2.556, 1.072, 3.341, -1.083),
    (0.077, 1.875, 0.375, 2.444, 0.831, 3.225),
    (-0.035, 2.475, 0.300, 3.223, 0.800, 4.101, -2.036),
    (-0.034, 2.469, 0.301, 3.218, 0.803, 4.101, -2.031),
    (-0.047, 2.475, 0.300, 3.226, 0.801, 4.110, -2.038),
    (0.330, 2.268, 0.442, 2.468, 0.577, 2.742),
    (-0.213, 3.588, -0.050, 3.860, 0.121, 4.269, -2.748),
    (-0.211, 3.594, -0.052, 3.864, 0.123, 4.258, -2.749),
    (-0.206, 3.595, -0.062, 3.864, 0.122, 4.263, -2.750),
    (-1.186, 3.651, -1.035, 3.929, -0.855, 4.323),
)
"""By `COLUMNS`; a seventh value where the block may be left out."""


@register
def pixel1_latency(program: Any) -> float:
    """Milliseconds for one image.

    Raises:
        UserError: when the program's model is no network of that space.
    """
    return latency(program.args.get("model") if isinstance(program, Symbol) else None)


def latency(model: Any) -> float:
    """The same of the model itself."""
    blocks = model.get("blocks") if isinstance(model, Symbol) and "Mobile" in model.type.name else 0
    if not isinstance(blocks, list) or len(blocks) != len(FILTERS):
        raise UserError(
            f"pixel1_latency knows networks of {len(FILTERS)} blocks, as in the recipe "
            "mobilenet/proxyless",
            hint="the cost madds is there for every network",
        )
    first, *others = blocks
    total = CONSTANT + _of(first, FIRST, 0, first.get("kernel_size"), expansion=1)
    for place, (block, row) in enumerate(zip(others, BLOCKS, strict=True), 1):
        values: dict[Any, float] = dict(zip(COLUMNS, row, strict=False))
        if block.type.name == "Skip":
            if len(row) == len(COLUMNS):
                raise _unknown(place, "it is there in every network of the space")
            total += row[-1]
        else:
            key = (block.get("kernel_size"), block.get("expansion"))
            total += _of(block, values, place, key)
    return total


def _of(
    block: Symbol, values: dict[Any, float], place: int, key: Any, expansion: int | None = None
) -> float:
    """What a block adds, if it is as it must be in this place."""
    size = (block.get("filters"), block.get("stride"))
    if size != (FILTERS[place], STRIDES[place]):
        raise _unknown(place, f"filters and stride are {(FILTERS[place], STRIDES[place])} there")
    if key not in values or expansion not in (None, block.get("expansion")):
        raise _unknown(place, "kernel sizes are 3, 5, 7, expansions 3, 6 (1 in the first block)")
    return values[key]


def _unknown(place: int, why: str) -> UserError:
    return UserError("pixel1_latency has no such block", path=f"model.blocks[{place}]", hint=why)
