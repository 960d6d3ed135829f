"""Correlations, associations and discrepancies against scipy, scikit-learn and brute force; bounds against simulation.

The simulations have their own seeds, so they always come out the same; they are made so that a bound that is off by a tenth
of its width is found.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.metrics import mutual_info_score

from agent.joint.association import Associations, Cells, cells_of
from agent.joint.correlation import Correlation, correlation_of
from agent.joint.fourier import FourierMeans, FourierSums, ReferenceFourier, features, frequencies, median_distance, spread_of
from agent.joint.moments import CrossMoments
from agent.joint.reference import Learned, learn
from agent.joint.relevance import relevance
from agent.stats.joint.association_change import association_change
from agent.stats.joint.correlation_change import correlation_change
from agent.stats.joint.mmd import mmd

Floats = NDArray[np.float64]
Sample = Callable[[np.random.Generator, int], Floats]

TRAINING = 50_000


def correlation(matrix: Floats) -> Correlation:
    moments = CrossMoments(matrix.shape[1])
    moments.update(matrix)
    return correlation_of(moments.result())


def normal(generator: np.random.Generator, rows: int, columns: int = 8) -> Floats:
    x = generator.standard_normal((rows, columns))
    x[:, 1] = 0.7 * x[:, 0] + 0.714 * x[:, 1]
    x[:, 3] = 0.95 * x[:, 2] + 0.3 * x[:, 3]
    x[:, 5] = 0.999 * x[:, 4] + 0.03 * x[:, 5]
    return np.clip(x, -4.0, 4.0)


def lognormal(generator: np.random.Generator, rows: int) -> Floats:
    return np.clip((np.exp(normal(generator, rows)) - 1) / 1.08, -4.0, 4.0)


def discrete(generator: np.random.Generator, rows: int) -> Floats:
    return np.round(normal(generator, rows))


def indicators(generator: np.random.Generator, rows: int) -> Floats:
    shares = np.array([0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.005])
    hit = normal(generator, rows) > stats.norm.isf(shares)
    return np.asarray(np.clip((hit - shares) / np.sqrt(shares * (1 - shares)), -4.0, 4.0))


def heavy(generator: np.random.Generator, rows: int) -> Floats:
    return np.clip(generator.standard_t(2, (rows, 1)) * normal(generator, rows), -4.0, 4.0)


SAMPLES: tuple[Sample, ...] = (normal, lognormal, discrete, indicators, heavy)
by_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.__name__)


def trained(sample: Sample, seed: int) -> Learned:
    matrix = sample(np.random.default_rng(seed), TRAINING)
    structure = learn(matrix, ~np.eye(matrix.shape[1], dtype=bool))
    assert structure is not None
    return structure


@by_sample
def test_correlation_is_scipys(sample: Sample) -> None:
    x = sample(np.random.default_rng(1), 2000)
    found = correlation(x)
    for i in range(x.shape[1]):
        for j in range(i):
            assert found.r[i, j] == pytest.approx(stats.pearsonr(x[:, i], x[:, j]).statistic, abs=1e-5)


def test_variance_of_a_normal_correlation_is_the_textbooks() -> None:
    x = np.random.default_rng(2).multivariate_normal([0.3, -0.2], [[0.5, 0.3], [0.3, 0.5]], 400_000)
    assert correlation(x).variance[0, 1] == pytest.approx((1 - 0.6**2) ** 2, rel=0.02)


@by_sample
@pytest.mark.parametrize("rows", [50, 200, 1000, 10_000])
def test_correlations_of_unchanged_traffic_rarely_exceed_their_bound(sample: Sample, rows: int) -> None:
    reference = trained(sample, 3).correlation
    generator = np.random.default_rng(4)
    trials, alpha = (400, 0.05) if rows <= 1000 else (60, 0.05)
    exceeded = sum(
        bool((correlation_change(correlation(sample(generator, rows)), reference, alpha).lower > 0).any()) for _ in range(trials)
    )
    # At alpha more than so many of the trials would exceed once in 1,000 such tests.
    assert exceeded <= stats.binom.isf(1e-3, trials, alpha)


def test_correlations_of_a_large_window_rarely_exceed_their_bound() -> None:
    reference = trained(normal, 3).correlation
    generator = np.random.default_rng(5)
    exceeded = [(correlation_change(correlation(normal(generator, 100_000)), reference, 0.05).lower > 0).any() for _ in range(20)]
    assert sum(exceeded) <= stats.binom.isf(1e-3, 20, 0.05)


def test_bound_of_a_true_change_covers_it() -> None:
    reference = trained(normal, 6).correlation
    generator = np.random.default_rng(7)
    lower = []
    for _ in range(300):
        x = normal(generator, 300)
        x[:, 0] *= -1
        lower.append(correlation_change(correlation(x), reference, 0.05).lower[0, 1])
    true = 2 * 0.7
    assert np.mean(np.array(lower) > true) <= 0.05
    assert np.median(lower) > 1.1


def test_flipped_correlation_of_fifty_columns_is_found_within_a_hundred_rows() -> None:
    structure = trained(lambda generator, rows: normal(generator, rows, 50), 8)
    generator = np.random.default_rng(9)
    lower = []
    for _ in range(40):
        x = normal(generator, 90, 50)
        x[:, 0] *= -1
        lower.append(correlation_change(correlation(x), structure.correlation, 1e-8).lower[0, 1])
    assert np.quantile(lower, 0.05) > 0.2


def test_overdispersed_rows_need_as_many_more() -> None:
    reference = trained(normal, 10).correlation
    x = normal(np.random.default_rng(11), 8000)
    x[:, 0] *= -1
    whole, part = correlation(x), correlation(x[:1000])
    found = correlation_change(whole, reference, 1e-6, 8.0).lower[0, 1]
    assert found < correlation_change(whole, reference, 1e-6).lower[0, 1]
    assert found == pytest.approx(correlation_change(part, reference, 1e-6).lower[0, 1], abs=0.05)


def test_unbiased_discrepancy_is_that_of_the_kernel_by_brute_force() -> None:
    generator = np.random.default_rng(12)
    x, y = generator.standard_normal((150, 3)), generator.standard_normal((120, 3)) + 0.8
    bandwidth = median_distance(y)
    waves = frequencies(3, bandwidth)
    then, now = features(y, waves).astype(np.float64), FourierSums(waves)
    now.update(x)
    found = mmd(now.result(), ReferenceFourier(120, then.mean(axis=0), *spread_of(then)), 0.5)

    def kernel(a: Floats, b: Floats) -> Floats:
        return np.asarray(features(a, waves).astype(np.float64) @ features(b, waves).astype(np.float64).T / 64)

    def unbiased(k: Callable[[Floats, Floats], Floats]) -> float:
        n, m = len(x), len(y)
        within = (k(x, x).sum() - n) / (n * (n - 1)) + (k(y, y).sum() - m) / (m * (m - 1))
        return float(np.sqrt(within - 2 * k(x, y).mean()))

    # Divided by n where the estimate divides by n - 1.
    assert float(found.value) == pytest.approx(unbiased(kernel), rel=0.01)
    gaussian = unbiased(lambda a, b: np.exp(-cdist(a, b, "sqeuclidean") / (2 * bandwidth**2)))
    assert float(found.value) == pytest.approx(gaussian, rel=0.3)


@by_sample
@pytest.mark.parametrize("rows", [20, 100, 1000])
def test_discrepancy_of_unchanged_traffic_rarely_exceeds_its_bound(sample: Sample, rows: int) -> None:
    generator = np.random.default_rng(13)
    training = sample(generator, 20_000)
    waves = frequencies(training.shape[1], median_distance(training))
    then = features(training, waves).astype(np.float64)
    reference = ReferenceFourier(20_000, then.mean(axis=0), *spread_of(then))
    # Rows of training drawn again: the true discrepancy is 0.
    means = np.stack([then[generator.integers(0, 20_000, rows)].mean(axis=0) for _ in range(400)])
    found = mmd(FourierMeans(np.full(400, rows), means), reference, 0.05)
    assert np.mean(found.lower > 0) <= 0.05


def test_discrepancy_of_a_flipped_correlation_is_found() -> None:
    generator = np.random.default_rng(14)
    structure = trained(lambda g, rows: normal(g, rows)[:, :2], 15)
    waves = frequencies(2, structure.bandwidth)
    sums = FourierSums(waves)
    sums.update(normal(generator, 2000)[:, :2] * [-1, 1])
    assert float(mmd(sums.result(), structure.fourier, 1e-8).lower) > 0.1


def test_information_is_scikit_learns() -> None:
    generator = np.random.default_rng(16)
    x, y = generator.integers(0, 6, 900), generator.integers(0, 4, 900)
    y[:300] = x[:300] % 4
    tables = Associations(1)
    tables.update(x[None, :], y)
    found = relevance(tables.result(), 1e-9)  # with so many rows that nothing is left to correct
    assert found.value[0] * stats.entropy(np.bincount(y)) == pytest.approx(mutual_info_score(x, y))
    assert found.entropy[0] == pytest.approx(stats.entropy(np.bincount(y)))


def test_variance_of_relevance_is_that_of_repeated_samples() -> None:
    generator = np.random.default_rng(17)
    share = generator.dirichlet(np.full(20, 2.0)).reshape(5, 4)
    tables = generator.multinomial(20_000, share.ravel(), 3000).reshape(3000, 5, 4)
    found = relevance(tables)
    assert found.variance.mean() / 20_000 == pytest.approx(found.value.var(), rel=0.1)


def test_relevance_has_no_bias_left_where_there_is_none() -> None:
    generator = np.random.default_rng(18)
    tables = generator.multinomial(2000, np.full(100, 0.01), 500).reshape(500, 10, 10)
    plain = np.mean([mutual_info_score(None, None, contingency=table) for table in tables[:50]]) / np.log(10)
    assert plain > 0.008
    assert relevance(tables).value.mean() < 0.15 * plain  # what is left comes from cutting off at 0


def _model(generator: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    x = generator.standard_normal((rows, 4))
    y = x[:, 0] + 0.4 * x[:, 1] + 0.3 * generator.standard_normal(rows)
    x[:, 3] = y + 0.001 * x[:, 3]
    return x, y


def _deciles(matrix: Floats) -> Cells:
    cuts = np.quantile(matrix, np.arange(1, 10) / 10, axis=0).T
    return cells_of([(str(place), place, cut.tolist()) for place, cut in enumerate(cuts)])


def _tables(inputs: Cells, answers: Cells, x: Floats, y: Floats) -> NDArray[np.int64]:
    tables = Associations(x.shape[1])
    tables.update(inputs.place(list(x.T), len(y)), answers.place([y], len(y))[0])
    return tables.result()


@pytest.mark.parametrize("rows", [50, 200, 1000, 10_000])
def test_associations_of_unchanged_traffic_rarely_exceed_their_bound(rows: int) -> None:
    generator = np.random.default_rng(19)
    x, y = _model(generator, TRAINING)
    inputs, answers = _deciles(x), _deciles(y[:, None])
    then = relevance(_tables(inputs, answers, x, y))
    trials = 300 if rows <= 1000 else 50
    exceeded = sum(
        bool((association_change(_tables(inputs, answers, *_model(generator, rows)), then, 0.05).lower > 0).any())
        for _ in range(trials)
    )
    assert exceeded <= stats.binom.isf(1e-3, trials, 0.05)


def test_feature_that_lost_its_relevance_is_told_from_one_that_gained() -> None:
    generator = np.random.default_rng(20)
    x, y = _model(generator, TRAINING)
    inputs, answers = _deciles(x), _deciles(y[:, None])
    then = relevance(_tables(inputs, answers, x, y))
    x, y = _model(generator, 3000)
    x[:, [0, 2]] = x[:, [2, 0]]
    change = association_change(_tables(inputs, answers, x, y), then, 1e-8)
    assert change.value[0] < 0 < change.value[2]
    assert (change.lower > 0.1).tolist() == [True, False, True, False]
