"""`automl ui`: MLflow's UI on what the recipes used, on loopback."""

from __future__ import annotations

import click


@click.command()
@click.option("--tracking-uri", metavar="URI", help="MLflow server or database.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, help="The next free one if it is taken.")
def ui_command(tracking_uri: str | None, host: str, port: int) -> None:
    """Open the MLflow UI on the studies of this folder."""
    from automl_cli.mlflow_ui import serve

    serve(tracking_uri, host, port)
