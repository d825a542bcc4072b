"""Starts unlike the data of the simulator are refused, or said in a line."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import Provenance, load_simulator, save_simulator
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import simulate
from cgsim.testing.systems import ATOM_TYPES, TINY, random_chain

RECIPE = {"method": "metis", "atoms_per_bead": 2}
CHAIN = replace(random_chain(5, n_frames=20, name="c"), recipe=RECIPE, temperature=300.0)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    """As a file says: of frames 2 ps apart, at 300 K."""
    torch.manual_seed(0)
    made = Simulator(TINY, atom_types=ATOM_TYPES, scales=measure([CHAIN], stride=1)).eval()
    file = tmp_path_factory.mktemp("model") / "simulator.safetensors"
    data = {"trajectories": [{"name": "c", "frame_interval": 2.0, "temperature": 300.0}]}
    save_simulator(made, file, provenance=Provenance(recipe=RECIPE, data=data))
    return load_simulator(file)


def said(simulator: Simulator, start: MappedTrajectory) -> str:
    """All warnings of two steps from there."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rollout = simulate(simulator, start, 2, allow_other_mapping=True)
    assert rollout.n_steps == 2
    return "\n".join(str(own.message) for own in caught if "unlike" in str(own.message))


def test_what_is_alike_is_not_spoken_of(simulator: Simulator) -> None:
    assert said(simulator, CHAIN) == ""
    assert said(simulator, replace(CHAIN, temperature=None)) == ""
    assert said(simulator, CHAIN.frames(0, 1)) == ""
    older = replace(CHAIN, recipe={"method": "metis"})
    assert said(simulator, older) == ""
    halves = replace(CHAIN, frame_interval=1.0)  # two frames make a step
    assert said(simulator, halves) == ""


def test_another_temperature_or_interval_is_one_line(simulator: Simulator) -> None:
    hot = said(simulator, replace(CHAIN, temperature=350.0))
    assert "c is at 350 K, but it was trained at 300 K" in hot
    coarse = said(simulator, replace(CHAIN, frame_interval=3.0))
    assert "3 ps apart, its steps are of 2 ps: replicas start at rest" in coarse
    both = said(simulator, replace(CHAIN, temperature=350.0, frame_interval=3.0))
    assert "350 K" in both
    assert "(and 1 more)" in both
    assert "\n" not in both


def test_another_mapping_is_refused_unless_it_is_allowed(simulator: Simulator) -> None:
    other = replace(CHAIN, recipe=RECIPE | {"atoms_per_bead": 3})
    with pytest.raises(
        ValueError, match=r"c was mapped .*atoms_per_bead 3 against 2.*--allow_other"
    ):
        simulate(simulator, other, 2)
    assert "atoms_per_bead 3 against 2" in said(simulator, other)


def test_beads_of_the_users_own_are_so_for_every_molecule(simulator: Simulator) -> None:
    simulator.recipe, kept = {"method": "user", "bead_index": [0, 0, 1]}, simulator.recipe
    own = {"method": "user", "bead_index": np.arange(5).tolist()}
    try:
        simulate(simulator, replace(CHAIN, recipe=own), 1)
    finally:
        simulator.recipe = kept
