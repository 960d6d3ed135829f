"""From values to the columns of a source."""

from __future__ import annotations

import numpy as np
import pytest

from agent.summarise.source import EMBEDDING, IMAGE, IMAGE_FILE, MEASURES, TEXT, Source, of_objects, of_table, steady

RNG = np.random.default_rng(10)


def test_names_and_widths() -> None:
    assert Source("v", EMBEDDING, ("norm", "mean"), (4, 3)).names == ("v.norm", "v.mean")
    assert Source("v", EMBEDDING, ("norm", "mean"), (4, 3)).width == 12
    assert Source("i", IMAGE, MEASURES[IMAGE]).width == 0
    assert Source("t", TEXT, MEASURES[TEXT]).width == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_unit_vectors_have_one_norm_however_they_are_written(dtype: type) -> None:
    vectors = RNG.normal(size=(500, 768))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    norm, _ = of_table(Source("v", EMBEDDING, ("norm", "mean")), vectors.astype(dtype).astype(np.float64).T, ())
    assert set(norm.tolist()) == {1.0}


def test_centred_vectors_have_mean_zero_however_they_are_written() -> None:
    vectors = RNG.normal(size=(500, 768))
    vectors -= vectors.mean(axis=1, keepdims=True)
    for written in (vectors, vectors.astype(np.float32).astype(np.float64), vectors.round(5)):
        _, mean = of_table(Source("v", EMBEDDING, ("norm", "mean")), written.T, ())
        assert set(mean.tolist()) == {0.0}


def test_blank_images_have_no_contrast() -> None:
    _, contrast = of_table(Source("i", IMAGE, ("brightness", "contrast")), np.full((75, 40), 7.3) * np.arange(40), (5, 5, 3))
    assert set(contrast.tolist()) == {0.0}


def test_steadying_leaves_odd_values_alone() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, 1e308, 1e-300])
    np.testing.assert_allclose(steady(odd, np.abs(odd)), odd, rtol=1e-3)


def test_an_image_without_values_has_no_size() -> None:
    table = np.array([[np.nan, 1.0]] * 75)
    found = of_table(Source("i", IMAGE, MEASURES[IMAGE]), table, (5, 5, 3))
    np.testing.assert_array_equal(found, [[np.nan, 1.0], [np.nan, 0.0], [np.nan, 5.0], [np.nan, 5.0]])


def test_objects_of_the_wrong_kind_are_missing() -> None:
    length, script = of_objects(Source("t", TEXT, ("length", "script")), ["ab", None, 5.0, "где", float("nan")])
    np.testing.assert_array_equal(length, [2, np.nan, np.nan, 3, np.nan])
    assert script.tolist() == ["latin", None, None, "cyrillic", None]
    (width,) = of_objects(Source("i", IMAGE_FILE, ("width",)), [None, "(bytes)", b"", 7])
    assert np.isnan(width).all()
