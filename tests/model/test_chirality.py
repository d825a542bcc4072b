"""A mirror-image molecule is not simulated as its twin, and achiral molecules pay nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from cgsim.baselines import PlainDynamics
from cgsim.config import ModelConfig
from cgsim.data.scales import is_chiral, measure
from cgsim.mapping.store import load_mapped, save_mapped
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import load_simulator, save_simulator
from cgsim.model.networks import with_networks
from cgsim.model.simulator import Simulator
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.checks import assert_batch_invariant, assert_equivariant, outputs, transformed
from cgsim.testing.systems import ATOM_TYPES, TINY, random_chain, random_simulator

CHIRALITY = np.array([0, 1, 1, -1, 1, 0])
MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))


def chiral_chain(*, seed: int = 0, n_frames: int = 12) -> MappedTrajectory:
    return replace(random_chain(seed=seed, n_frames=n_frames), chirality=CHIRALITY)


@pytest.mark.parametrize("noise", ["independent", "elastic"])
@pytest.mark.parametrize("lmax", [1, 2])
def test_exactly_equivariant_with_handedness(
    lmax: int, noise: Literal["independent", "elastic"]
) -> None:
    """Rotations as before; a reflection with the opposite handedness."""
    torch.set_default_dtype(torch.float64)
    config = replace(TINY, dynamics=replace(TINY.dynamics, lmax=lmax, noise=noise))
    chain = chiral_chain()
    simulator = random_simulator([chain], config).double()
    assert simulator.scales.chiral
    assert_equivariant(simulator, chain)


def test_batches_keep_the_handedness_of_each_molecule() -> None:
    chains = [chiral_chain(seed=1), random_chain(seed=2)]
    chains.append(replace(chains[0], chirality=-CHIRALITY))
    assert_batch_invariant(random_simulator(chains).double(), chains)


@pytest.mark.parametrize("history", [1, 2])
def test_not_mirror_symmetric_by_positions_alone(history: int) -> None:
    """Mirrored beads of the same handedness are another molecule; of the opposite, the image."""
    chain = chiral_chain()
    simulator = random_simulator([chain], replace(TINY, history=history)).double()
    batch = simulator.windows([chain])[4]
    residual = torch.randn(6, 3, dtype=torch.float64)
    expected = outputs(simulator, batch, residual)
    image = transformed(batch, MIRROR)
    twin = transformed(batch, MIRROR)
    twin.chirality = batch.chirality
    assert torch.equal(image.chirality, -batch.chirality)
    found, other = (outputs(simulator, each, residual @ MIRROR) for each in (image, twin))
    for key in ("displacement", "score"):
        mirrored = expected[key] @ MIRROR
        torch.testing.assert_close(found[key], mirrored, rtol=1e-10, atol=1e-10)
        assert (other[key] - mirrored).abs().max() > 1e-3, key


def test_achiral_training_data_cost_nothing() -> None:
    """No weight more, and no handedness is looked at."""
    plain, chiral = random_chain(), chiral_chain()
    simulator = random_simulator([plain])
    assert not simulator.scales.chiral
    n_weights = sum(p.numel() for p in simulator.parameters())
    assert n_weights < sum(p.numel() for p in random_simulator([chiral]).parameters())
    residual = torch.zeros(6, 3)
    expected = outputs(simulator, simulator.windows([plain])[3], residual)
    for key, value in outputs(simulator, simulator.windows([chiral])[3], residual).items():
        assert torch.equal(value, expected[key]), key


def test_zeros_are_no_handedness() -> None:
    zeros = replace(random_chain(), chirality=np.zeros(6, dtype=np.int64))
    assert not is_chiral(zeros)
    assert not measure([zeros], stride=1).chiral
    assert measure([zeros, chiral_chain()], stride=1).chiral


def test_steps_know_the_handedness() -> None:
    chains = [chiral_chain(), replace(chiral_chain(), chirality=-CHIRALITY)]
    simulator = random_simulator(chains)
    ends = []
    for chain in chains:
        starts = choose_starts(simulator, [chain], n_replicas=2, seed=0)
        batch = start_batch(simulator, starts)
        assert batch.chirality.tolist() == 2 * chain.chirality.tolist()  # type: ignore[union-attr]
        state = simulator.start(batch, torch.Generator().manual_seed(0))
        ends.append(simulator.step(state).pos[:, -1])
    assert (ends[0] - ends[1]).abs().max() > 1e-4


def test_twins_need_names_of_their_own() -> None:
    simulator = random_simulator([chiral_chain()])
    twins = [chiral_chain(), replace(chiral_chain(), chirality=-CHIRALITY)]
    with pytest.raises(ValueError, match="chain: two different molecules are of this name"):
        choose_starts(simulator, twins, n_replicas=1, seed=0)


def test_kept_in_folders_and_checkpoints(tmp_path: Path) -> None:
    chain = chiral_chain()
    found = load_mapped(save_mapped(chain, tmp_path / "chain.cg"))
    np.testing.assert_array_equal(found.chirality, CHIRALITY)
    assert load_mapped(save_mapped(random_chain(), tmp_path / "other.cg")).chirality is None
    path = save_simulator(random_simulator([chain]), tmp_path / "chiral.safetensors")
    assert load_simulator(path).scales.chiral


@pytest.mark.parametrize("bad", [[1, 1], [0, 0, 0, 0, 0, 2]])
def test_damaged_handedness(tmp_path: Path, bad: list[int]) -> None:
    folder = save_mapped(chiral_chain(), tmp_path / "chain.cg")
    header = json.loads((folder / "system.json").read_text())
    assert header["chirality"] == CHIRALITY.tolist()
    (folder / "system.json").write_text(json.dumps(header | {"chirality": bad}))
    with pytest.raises(ValueError, match=r"system\.json: .*chirality must be -1, 0 or 1"):
        load_mapped(folder)


def test_the_plain_network_is_told_as_well() -> None:
    chain = chiral_chain()
    model = with_networks(replace(TINY, score=None), PlainDynamics)
    simulator = Simulator(model, atom_types=ATOM_TYPES, scales=measure([chain], stride=1))
    torch.nn.init.normal_(simulator.dynamics.displacement[-1].weight)
    batch = simulator.windows([chain])[4]
    twin = batch.clone()
    twin.chirality = -batch.chirality
    said = [simulator.predict(each).displacement for each in (batch, twin)]
    assert (said[0] - said[1]).abs().max() > 1e-5


# ------------------------------------------------------------------------------ learning

DRIFT = 0.1  # nm per step
SIDES = np.array([1, 0, -1])  # one end up, the other down from the plane of three beads


def propellers(chirality: int) -> MappedTrajectory:
    """Three beads whose ends turn about their middle one, to the side of its handedness."""
    random = np.random.default_rng(chirality % 7)
    shape = np.array([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.3, 0.1]])
    frames = [shape]
    for _ in range(400):
        pos = frames[-1]
        change = 0.2 * (shape_like(pos, shape) - pos) + random.normal(scale=0.05, size=(3, 3))
        frames.append(pos + chirality * DRIFT * SIDES[:, None] * normal(pos) + change)
    return replace(
        random_chain(3, max_atoms=1),
        name=f"propeller {chirality}",
        pos=np.array(frames, dtype=np.float32),
        chirality=np.array([0, chirality, 0]),
    )


def shape_like(pos: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The shape laid onto positions (Kabsch)."""
    centre, own = pos.mean(axis=0), shape - shape.mean(axis=0)
    u, _, v = np.linalg.svd(own.T @ (pos - centre))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v
    return own @ turn + centre


def normal(pos: np.ndarray) -> np.ndarray:
    crossed = np.cross(pos[0] - pos[1], pos[2] - pos[1])
    return crossed / np.linalg.norm(crossed)


def learned_drift(trajectories: list[MappedTrajectory]) -> list[float]:
    """Predicted mean displacement of the ends, nm, of each molecule after a short training."""
    config: ModelConfig = replace(TINY, history=1, score=None)
    torch.manual_seed(0)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure(trajectories, stride=1))
    dataset = simulator.windows(trajectories)
    optimiser = torch.optim.Adam(simulator.parameters(), lr=0.02)
    random = np.random.default_rng(0)
    for _ in range(60):
        optimiser.zero_grad()
        simulator.loss(dataset[random.integers(len(dataset), size=64).tolist()])["nll"].backward()
        optimiser.step()
    drifts = []
    for trajectory in trajectories:
        batch = simulator.windows([trajectory])[list(range(0, 400, 10))]
        with torch.no_grad():
            moved = simulator.predict(batch).displacement * simulator.scales.step_scale
        normals = [normal(pos) for pos in batch.pos[:, -1].numpy().reshape(-1, 3, 3)]
        along = (moved.numpy().reshape(-1, 3, 3) * np.array(normals)[:, None]).sum(axis=2)
        drifts.append(float((along * SIDES).sum(axis=1).mean() / 2))
    return drifts


def test_a_handed_drift_is_learned_with_handedness_only() -> None:
    """Three beads are in a plane: a network of positions alone must stay in it, exactly."""
    twins = [propellers(1), propellers(-1)]
    left, right = learned_drift(twins)
    assert left == pytest.approx(DRIFT, rel=0.2)
    assert right == pytest.approx(-DRIFT, rel=0.2)
    blind = learned_drift([replace(each, chirality=None) for each in twins[:1]])
    assert blind[0] == pytest.approx(0, abs=1e-6)
