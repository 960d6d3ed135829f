"""What several tests of the whole stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.profile.write import write
from tests.model_server import model_server
from tests.traffic import training_profile


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """The port of a model server."""
    with model_server() as port:
        yield port


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the training profile."""
    path = tmp_path_factory.mktemp("profile") / "profile.json"
    write(training_profile(), path)
    return str(path)
