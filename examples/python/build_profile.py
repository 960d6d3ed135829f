"""A profile from data in memory: the same call takes pandas, Polars, Arrow, or a dict of numpy arrays."""

import polars as pl

from agent.profile.build import build
from agent.profile.write import write

training = pl.DataFrame(
    {
        "area_m2": [52.0, 81.5, 120.0, 64.0, None, 97.0] * 200,
        "age_years": [12, 30, 4, 55, 41, 8] * 200,
        "area": ["north", "south", "north", "west", "south", "west"] * 200,
        "price": [165.0, 228.0, 340.0, 167.0, 210.0, 277.0] * 200,
        "predicted_price": [162.8, 225.8, 337.6, 167.0, 215.4, 277.7] * 200,
    }
)

profile = build(
    training,  # or training.to_pandas(), or training.to_arrow()
    label="price",
    prediction="predicted_price",
    task="regression",
    model_name="houses",
    model_version="3",
)
write(profile, "profile.json")
