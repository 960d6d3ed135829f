from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.demo import model


@pytest.fixture(scope="module")
def trained() -> model.Trained:
    return model.train()


def test_the_data_are_442_patients_in_real_units(trained: model.Trained) -> None:
    means = dict(zip(model.FEATURES, trained.rows.mean(axis=0), strict=True))
    assert trained.rows.shape == (442, 10)
    assert means["age"] == pytest.approx(48.5, abs=0.1)
    assert means["glucose"] == pytest.approx(91.3, abs=0.1)  # mg/dl: in mmol/l it would be 5.1
    assert set(trained.rows[:, model.FEATURES.index("sex")]) == {1.0, 2.0}


def test_the_model_has_learned_something(trained: model.Trained) -> None:
    explained = 1 - np.var(trained.labels - trained.predictions) / np.var(trained.labels)
    assert 0.6 < explained < 1


def test_training_again_gives_the_same_model(trained: model.Trained) -> None:
    np.testing.assert_array_equal(model.train().predictions, trained.predictions)


def test_the_model_takes_missing_values(trained: model.Trained) -> None:
    rows = trained.rows[:5].copy()
    rows[:, model.FEATURES.index("bmi")] = np.nan
    assert np.isfinite(trained.estimator.predict(rows)).all()


def test_a_saved_model_predicts_the_same(trained: model.Trained, tmp_path: Path) -> None:
    model.save(trained, tmp_path / "model")
    loaded = model.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(trained.rows), trained.predictions)


def test_the_table_has_features_label_and_prediction_with_codes_as_integers(trained: model.Trained) -> None:
    table = trained.table()
    assert table.column_names == [*model.FEATURES, model.LABEL, model.PREDICTION]
    assert str(table.schema.field("sex").type) == "int64"
    assert str(table.schema.field("age").type) == "double"
