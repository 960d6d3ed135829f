"""All ways to ask MLflow's scoring server: its own client where that has one, and what its documentation does otherwise.

Run by `tests.integration.real.watched` in the server's environment.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import requests
from mlflow.pyfunc.scoring_server.client import ScoringServerClient  # type: ignore[import-not-found,unused-ignore]

from tests.integration.real.errands import Answer, Errand, run_errands
from tests.integration.real.houses import Table, rows_of

PARAMS = {"currency": "USD"}


def _client(errand: Errand, params: dict[str, str] | None = None) -> list[Answer]:
    client = ScoringServerClient("127.0.0.1", errand.http)
    found = [client.invoke(pd.DataFrame(table), params) for table in errand.tables]
    return [{"prices": answer["predictions"], "keys": sorted(answer)} for answer in found]


def _post(errand: Errand, body: Callable[[Table], Any], kind: str = "application/json") -> list[Answer]:
    answers: list[Answer] = []
    with requests.Session() as session:
        for table in errand.tables:
            content = body(table)
            data = content if isinstance(content, str) else json.dumps(content)
            response = session.post(f"http://127.0.0.1:{errand.http}/invocations", data, headers={"Content-Type": kind})
            assert response.ok, response.text
            answers.append(
                {"prices": response.json()["predictions"], "type": response.headers["content-type"], "text": response.text}
            )
    return answers


if __name__ == "__main__":
    run_errands(
        {
            "client": _client,
            "client_params": lambda errand: _client(errand, PARAMS),
            "split": lambda errand: _post(
                errand, lambda table: {"dataframe_split": pd.DataFrame(table).to_dict("split", index=False), "params": PARAMS}
            ),
            "records": lambda errand: _post(errand, lambda table: {"dataframe_records": rows_of(table)}),
            "instances": lambda errand: _post(errand, lambda table: {"instances": rows_of(table), "params": PARAMS}),
            "inputs": lambda errand: _post(errand, lambda table: {"inputs": table}),
            "csv": lambda errand: _post(errand, lambda table: pd.DataFrame(table).to_csv(index=False), "text/csv"),
        }
    )
