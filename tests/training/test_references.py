"""A simulator of a molecule with references: trained, stored, rolled out and fine-tuned with it."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cgsim.config import Hardware, TrainingConfig
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import load_simulator, save_simulator
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import simulate
from cgsim.testing.systems import TINY, random_chain, random_simulator
from cgsim.training.accumulation import windows_in_parts
from cgsim.training.finetune import finetune
from cgsim.training.fit import fit, new_simulator

SHORT = TrainingConfig(n_steps=4, batch_size=4, n_warmup=1, ema_decay=0.8, steps_per_epoch=2)
CPU = Hardware(accelerator="cpu")
CHAIN = random_chain(20, n_frames=60, name="folded")
REFERENCE = CHAIN.pos[30:31].astype(np.float64)
FOLDED = replace(CHAIN, reference=REFERENCE)


def near_pairs(simulator: Simulator, system: MappedTrajectory) -> int:
    data = simulator.windows([system])[0]
    return int((data.edge_hop > simulator.config.graph.n_hops).sum())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folded")
    fit([FOLDED], folder, model=TINY, training=SHORT, hardware=CPU)
    return folder / "simulator.safetensors"


def test_data_with_a_reference_make_a_simulator_that_knows_it(trained: Path) -> None:
    simulator = load_simulator(trained)
    assert simulator.config.graph.n_references == 1
    (known,) = simulator.references
    np.testing.assert_allclose(known.pos, REFERENCE, atol=1e-5)
    assert near_pairs(simulator, FOLDED) > 0


def test_data_without_make_one_that_knows_none() -> None:
    simulator = new_simulator([CHAIN], model=TINY)
    assert simulator.config == TINY
    assert simulator.references == ()
    assert near_pairs(simulator, FOLDED) == 0, "a plain simulator takes folded molecules as others"


def test_several_references_are_as_many() -> None:
    both = replace(CHAIN, reference=CHAIN.pos[[3, 40]].astype(np.float64))
    assert new_simulator([both], model=TINY).config.graph.n_references == 2
    mixed = [both, replace(random_chain(12, name="other"), reference=None)]
    with pytest.raises(ValueError, match=r"folded has a reference structure and other none"):
        new_simulator(mixed, model=TINY)
    told = replace(TINY, graph=replace(TINY.graph, n_references=1))
    with pytest.raises(ValueError, match=r"n_references is 1, but the data have 2"):
        new_simulator([both], model=told)


def test_another_reference_is_another_run(tmp_path: Path) -> None:
    fit([FOLDED], tmp_path, model=TINY, training=SHORT, hardware=CPU)
    again = fit([FOLDED], tmp_path, model=TINY, training=SHORT, hardware=CPU)
    assert len(again.references) == 1
    other = replace(CHAIN, reference=CHAIN.pos[:1].astype(np.float64))
    with pytest.raises(ValueError, match="other settings or data"):
        fit([other], tmp_path, model=TINY, training=SHORT, hardware=CPU)


def test_a_roll_out_holds_to_the_reference_of_training(trained: Path) -> None:
    simulator = load_simulator(trained)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of_training = simulate(simulator, [CHAIN], 5, n_replicas=2, seed=3)
    elsewhere = replace(CHAIN, reference=1.5 * REFERENCE)
    found = simulate(simulator, [elsewhere], 5, n_replicas=2, seed=3)
    for one, other in zip(of_training.trajectories, found.trajectories, strict=True):
        np.testing.assert_array_equal(one.pos, other.pos)


def test_a_new_molecule_holds_to_its_own_or_to_where_it_starts(trained: Path) -> None:
    simulator = load_simulator(trained)
    new = random_chain(24, n_frames=30, seed=5, name="new")
    with pytest.warns(UserWarning, match="new: no reference structure is known, its first frame"):
        start = simulate(simulator, [new], 4, seed=1)
    own = replace(new, reference=new.pos[:1].astype(np.float64))
    same = simulate(simulator, [own], 4, seed=1)
    np.testing.assert_array_equal(start.trajectories[0].pos, same.trajectories[0].pos)
    twice = 2 * new.pos[:1].astype(np.float64)
    other = simulate(simulator, [replace(own, reference=twice)], 4, seed=1)
    assert np.abs(other.trajectories[0].pos - same.trajectories[0].pos).max() > 1e-6


@pytest.mark.parametrize("n_beads", [10, 20])
def test_a_roll_out_goes_on_exactly(tmp_path: Path, n_beads: int) -> None:
    chain = random_chain(n_beads, n_frames=30, name="folded")
    system = replace(chain, reference=chain.pos[[7, 20]].astype(np.float64))
    graph = replace(TINY.graph, n_references=2)
    save_simulator(random_simulator([system], replace(TINY, graph=graph)), tmp_path / "s")
    simulator = load_simulator(tmp_path / "s")
    whole = simulate(simulator, [system], 9, n_replicas=2, output=tmp_path / "whole")
    for n_steps in (4, 9):
        parts = simulate(simulator, [system], n_steps, n_replicas=2, output=tmp_path / "parts")
    for expected, found in zip(whole.files, parts.files, strict=True):
        assert expected.read_bytes() == found.read_bytes()


def test_fine_tuning_keeps_and_adds_references(trained: Path, tmp_path: Path) -> None:
    new = random_chain(24, n_frames=60, seed=5, name="new")
    new = replace(new, reference=new.pos[:1].astype(np.float64))
    finetuning = {"n_steps": 2, "batch_size": 2, "steps_per_epoch": 1}
    tuned = finetune(trained, [new], tmp_path, finetuning=finetuning, hardware=CPU)
    assert {len(own.bead_name) for own in tuned.references} == {20, 24}


def test_parts_of_a_batch_keep_what_they_know_of_references() -> None:
    simulator = new_simulator([FOLDED], model=TINY)
    batch = simulator.windows([FOLDED])[[0, 5, 9, 20]]
    parts = windows_in_parts(batch, 2)
    torch.testing.assert_close(torch.cat([own.edge_reach for own in parts]), batch.edge_reach)
