import numpy as np
import pytest

from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.report.plots import plot_fold
from tests.evaluate.observables.test_folded import helix


def test_maps_have_the_reference_above_and_the_learned_run_below() -> None:
    figure = plot_fold(Profile(helix()), Profile(helix(seed=1, unfolds=True)))
    contacts = np.asarray(figure.axes[2].images[0].get_array())
    # Beads four bonds apart touch in every frame of the helix, in half of those that unfold.
    assert np.diag(contacts, 4).mean() > 0.95
    assert np.diag(contacts, -4).mean() == pytest.approx(0.5, abs=0.05)


def test_a_molecule_without_structure_is_named() -> None:
    unfolded = Profile(helix(unfolds=True))
    with pytest.raises(ValueError, match="helix keeps no fold"):
        plot_fold(unfolded, unfolded)
