"""Numbers, durations and decision records as a person reads them best."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_cli.progress import Finished
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space


def number(value: float) -> str:
    """A metric as it is read best: 4 significant digits, counts whole, large ones in units."""
    if not math.isfinite(value):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e5:
        return str(int(value))
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 10 * size or (abs(value) >= size and unit != "k"):
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def size(space: Space) -> str:
    """The size of a space: so many programs."""
    value = space.size
    if math.isinf(value):
        return "a continuum of programs"
    return f"{value:,} program{'s' * (value != 1)}" if value < 1e6 else f"{value:.3g} programs"


def duration(seconds: float) -> str:
    """Seconds as 8s, 2m05s or 1h02m."""
    if seconds < 0.1:
        return f"{seconds * 1000:.3g}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def decisions_text(record: str | dict[str, Any], limit: int = 60) -> str:
    """A decision record in few words: names without their common path, cut to `limit`."""
    import json

    data: dict[str, Any] = json.loads(record) if isinstance(record, str) else record
    parts = [f"{short_name(k, data)}={_value(v)}" for k, v in data.items()]
    text = " ".join(parts)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def short_name(name: str, names: Iterable[str]) -> str:
    """The last part of a point's id, as long as that is enough to tell it from the others."""
    parts = name.split(".")
    for take in range(1, len(parts) + 1):
        tail = ".".join(parts[-take:])
        if sum(n == tail or n.endswith("." + tail) for n in names) <= 1:
            return tail
    return name


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def objective_text(trial: Finished, objectives: Iterable[Objective]) -> str:
    """A trial's objectives, named."""
    return ", ".join(
        f"{o.metric} {number(trial.metrics[o.metric])}"
        for o in objectives
        if o.metric in trial.metrics
    )
