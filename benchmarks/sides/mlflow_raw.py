"""MLflow alone, for `mlflow_loop`: `python mlflow_raw.py TRIALS URI`."""

from __future__ import annotations

import math
import random
import sys

import mlflow


def main(trials: int, uri: str) -> None:
    """A parent run, and a nested run for each trial."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("function")
    rng = random.Random(0)
    with mlflow.start_run():
        for _ in range(trials):
            params = {f"float{i}": rng.random() for i in range(8)}
            params |= {f"integer{i}": rng.randrange(11) for i in range(5)}
            params |= {f"kind{i}": rng.choice("abcd") for i in range(6)}
            params["lr"] = math.exp(rng.uniform(math.log(1e-5), 0.0))
            loss = sum((params[f"float{i}"] - 0.3) ** 2 for i in range(8))
            with mlflow.start_run(nested=True):
                mlflow.log_params(params)
                mlflow.log_metric("loss", loss)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
