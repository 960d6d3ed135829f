"""What pytest must know before it imports this folder."""

from __future__ import annotations

import pytest

collect_ignore = ["mlserver_models.py"]  # only the server's environment can import it
pytest.register_assert_rewrite("tests.integration.real.comparison")  # its checks show what they compared, as tests do
