"""Write the golden profiles: ``python tests/golden/profile/build_sample.py``. Only for a new format; old files stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from agent.profile.build import build
from agent.profile.format import Profile
from agent.profile.write import write


def sample() -> Profile:
    """Every role and type, missing values, infinities, a heavy value, a constant; no chance."""
    i = np.arange(5000)
    rest = (i * 7919 % 5000) / 5000
    data: dict[str, Any] = {
        "age": i * 7919 % 83 + 17,
        "income": np.where(i % 3 == 0, 0.0, rest * 1000.25),
        "ratio": np.where(i % 50 == 0, np.nan, np.where(i == 7, np.inf, rest - 0.5)),
        "constant": np.full(5000, 2.5),
        "region": i % 4,
        "city": np.array(["Bern", "Genève", "Zürich"])[i % 3],
        "smoker": i % 5 == 0,
        "comment": [f"note {n}" for n in i],
        "seen": np.datetime64("2024-01-01") + i,
        "customer": i,
        "group": np.array(["a", "b"])[i // 2500],
        "score": rest * 0.9,
        "answer": np.where(rest > 0.5, "yes", "no"),
        "truth": np.where(rest > 0.45, "yes", "no"),
    }
    return build(
        data,
        label="truth",
        prediction="answer",
        probability="score",
        id="customer",
        segment="group",
        model_name="sample",
        model_version="1",
        trained_at="2024-01-01T00:00:00Z",
    )


if __name__ == "__main__":
    for name in ("profile_1.json", "profile_1.json.gz"):
        write(sample(), Path(__file__).with_name(name))
