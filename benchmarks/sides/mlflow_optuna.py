"""Optuna's side of `mlflow_loop`: `python mlflow_optuna.py TRIALS URI`."""

from __future__ import annotations

import sys
import warnings

import mlflow
import optuna
from loop_optuna import mixed_bowl
from optuna_integration import MLflowCallback

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    trials, uri = int(sys.argv[1]), sys.argv[2]
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("function")
    callback = MLflowCallback(uri, "loss", create_experiment=False, mlflow_kwargs={"nested": True})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    with mlflow.start_run():
        study.optimize(mixed_bowl, n_trials=trials, callbacks=[callback])
