from dataclasses import replace

import numpy as np
import pytest

from cgsim.evaluate import Ensemble
from cgsim.evaluate.kinetics.tica import fit_tica
from cgsim.evaluate.kinetics.validation import ChapmanKolmogorov, ImpliedTimescales
from cgsim.evaluate.report.plots import (
    plot_chapman_kolmogorov,
    plot_free_energy,
    plot_implied_timescales,
)
from tests.evaluate.kinetics.slow_systems import sliding_beads


@pytest.fixture(scope="module")
def slider() -> Ensemble:
    return sliding_beads((40.0, 8.0), n_frames=4_000, seeds=(0, 1))


def test_free_energy_is_the_logarithm_of_the_histogram(slider: Ensemble) -> None:
    tica = fit_tica(slider, lag_time=4.0)
    narrow = replace(slider, xyz=(slider.xyz[0][:300],))
    reference, learned, _ = plot_free_energy(tica, slider, narrow).axes
    surfaces = [
        np.asarray(axis.collections[0].get_array()).ravel() for axis in (reference, learned)
    ]
    for surface, n_frames in zip(surfaces, (8_000, 300), strict=True):
        assert np.nanmin(surface) == 0
        weights = np.exp(-surface[np.isfinite(surface)])
        counts = weights / weights.min()
        np.testing.assert_allclose(counts, counts.round(), atol=1e-6)
        assert counts.sum() == pytest.approx(n_frames)
    assert np.isnan(surfaces[1]).sum() > np.isnan(surfaces[0]).sum() > 0
    assert reference.get_xlim() == learned.get_xlim()


def test_free_energy_needs_two_components(slider: Ensemble) -> None:
    with pytest.raises(ValueError, match="n_components"):
        plot_free_energy(fit_tica(slider, lag_time=4.0, n_components=1), slider, slider)


def test_implied_timescales_are_drawn_with_errors() -> None:
    times = np.array([[50.0, 9.0], [55.0, np.nan]])
    first = ImpliedTimescales("chain", np.array([1.0, 2.0]), times, 0.1 * times)
    second = ImpliedTimescales("chain", np.array([2.0, 4.0]), 2 * times, 0.1 * times)
    figure = plot_implied_timescales(first, second)
    (axis,) = figure.axes
    drawn = [container[0].get_ydata() for container in axis.containers]
    np.testing.assert_array_equal(drawn[0], [50, 55])
    np.testing.assert_array_equal(drawn[3], [18, np.nan])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["reference MD", "learned"]


def test_chapman_kolmogorov_has_a_panel_for_every_pair() -> None:
    predicted = np.tile([[0.8, 0.2], [0.1, 0.9]], (3, 1, 1))
    test = ChapmanKolmogorov("chain", np.array([1.0, 2, 3]), predicted, predicted, predicted / 9)
    axes = plot_chapman_kolmogorov(test).axes
    assert [axis.get_title(loc="left") for axis in axes] == ["0 → 0", "0 → 1", "1 → 0", "1 → 1"]
    lines = [np.asarray(axis.lines[0].get_ydata(), dtype=float) for axis in axes]
    np.testing.assert_allclose(lines[1], [0, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(lines[3], [1, 0.9, 0.9, 0.9])
