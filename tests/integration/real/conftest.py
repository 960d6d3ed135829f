"""What pytest must know before it imports this folder."""

from __future__ import annotations

import pytest

collect_ignore = [  # only the servers' environments can import them
    "mlserver_models.py", "kserve_server.py", "kserve_clients.py", "mlflow_model.py", "mlflow_clients.py",
    "sagemaker_bodies.py", "mlserver_bodies.py",
]  # fmt: skip
for module in ("children", "comparison", "watched"):
    pytest.register_assert_rewrite(f"tests.integration.real.{module}")  # its checks show what they compared, as tests do
