"""A folded protein is told from what is none, and its mean is the structure that it moves about."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from cgsim.mapping.reference import (
    Reference,
    is_folded,
    mean_structure,
    merged,
    references_of,
    standing_pairs,
    with_reference,
)
from cgsim.mapping.store import load_mapped, save_mapped
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.checks import random_rotation
from cgsim.testing.systems import random_chain

N_BEADS = 27


def protein(pos: np.ndarray, *, residue: str = "ALA", name: str = "snake") -> MappedTrajectory:
    chain = random_chain(pos.shape[1], n_frames=2, name=name)
    names = tuple((residue, "CA") for _ in range(pos.shape[1]))
    return replace(chain, pos=pos.astype(np.float32), bead_name=names)


def snake() -> np.ndarray:
    """A chain that fills a cube of 3 x 3 x 3 [27, 3], bonds of 0.38 nm."""
    steps = []
    for z in range(3):
        for y in range(3) if z % 2 == 0 else reversed(range(3)):
            row = range(3) if (y + z) % 2 == 0 else reversed(range(3))
            steps += [(x, y, z) for x in row]
    return 0.38 * np.array(steps, dtype=float)


def rod() -> np.ndarray:
    """A straight chain [27, 3]."""
    return 0.38 * np.arange(N_BEADS)[:, None] * np.array([1.0, 0.0, 0.0])


def about(structure: np.ndarray, *, width: float, n_frames: int = 200, seed: int = 0) -> np.ndarray:
    """Frames about a structure, each turned and shifted at random."""
    random = np.random.default_rng(seed)
    frames = structure + width * random.normal(size=(n_frames, *structure.shape))
    turned = [frame @ random_rotation(seed=i).numpy() for i, frame in enumerate(frames)]
    return np.stack(turned) + random.normal(size=(n_frames, 1, 3))


def test_the_mean_is_what_turned_and_shifted_frames_move_about() -> None:
    runs = [protein(about(snake(), width=0.02, seed=seed)) for seed in (0, 1)]
    found = mean_structure(runs)
    np.testing.assert_allclose(pdist(found), pdist(snake()), atol=0.01)


def test_the_mean_is_no_mirror_image() -> None:
    found = mean_structure([protein(about(snake(), width=0.01))])
    assert np.linalg.det(found[[1, 9, 12]] - found[0]) == pytest.approx(
        np.linalg.det(snake()[[1, 9, 12]] - snake()[0]), abs=0.01
    )


def test_a_compact_chain_of_amino_acids_is_folded() -> None:
    folded = protein(about(snake(), width=0.05))
    assert is_folded([folded])
    near = pdist(snake()) < 2.6 * 0.38
    far_along = np.concatenate([np.arange(1, N_BEADS - i) > 4 for i in range(N_BEADS)])
    assert standing_pairs([folded]).shape[1] >= 0.7 * (near & far_along).sum()


def test_what_is_not_folded() -> None:
    folded = protein(about(snake(), width=0.05))
    disordered = random_chain(N_BEADS, n_frames=200).pos
    assert not is_folded([protein(disordered)])
    assert not is_folded([protein(about(snake(), width=0.05), residue="BEA")]), "a polymer"
    assert not is_folded([folded.frames(0, 10)]), "too few frames to tell"
    broken = replace(folded, edge_index=folded.edge_index[:, folded.edge_index[0] != 12])
    assert not is_folded([broken]), "two chains"
    unfolds = np.concatenate([folded.pos[:100], about(rod(), width=0.05)[:100]])
    assert not is_folded([protein(unfolds)]), "half of the frames are unfolded"
    other = protein(folded.pos, residue="GLY")
    assert not is_folded([folded, other]), "two molecules"


def test_a_straight_chain_is_not_folded_however_still_it_is() -> None:
    assert not is_folded([protein(about(rod(), width=0.01))])


def test_references_are_stored_with_the_trajectory(tmp_path: Path) -> None:
    states = np.stack([snake(), 1.1 * snake()])
    system = with_reference(protein(about(snake(), width=0.05)), states)
    save_mapped(system, tmp_path / "snake.cg")
    found = load_mapped(tmp_path / "snake.cg").reference
    assert found is not None
    np.testing.assert_allclose(found, states, atol=1e-5)
    assert load_mapped(tmp_path / "snake.cg").frames(3, 9).reference is not None


@pytest.mark.parametrize(
    ("shape", "value"), [((27, 3), 0.0), ((0, 27, 3), 0.0), ((1, 26, 3), 0.0), ((1, 27, 3), np.nan)]
)
def test_references_of_other_beads_are_refused(shape: tuple[int, ...], value: float) -> None:
    system = protein(about(snake(), width=0.05))
    with pytest.raises(ValueError, match=r"snake: reference must be"):
        with_reference(system, np.full(shape, value))


def test_a_damaged_reference_is_refused(tmp_path: Path) -> None:
    system = with_reference(protein(about(snake(), width=0.05)), snake()[None])
    save_mapped(system, tmp_path / "snake.cg")
    file = tmp_path / "snake.cg" / "system.json"
    text = file.read_text()
    start = text.index('"reference"')
    file.write_text(text[:start] + '"reference": [[[1.0, 2.0, 3.0]]]}')
    with pytest.raises(ValueError, match=r"system.json: .*reference must be \[n_references, 27"):
        load_mapped(tmp_path / "snake.cg")


def test_references_of_molecules_are_each_kept_once() -> None:
    one = with_reference(protein(about(snake(), width=0.05)), snake()[None])
    other = with_reference(protein(one.pos, residue="GLY", name="glycine"), 2 * snake()[None])
    found = references_of([one, one.frames(0, 9), other, protein(one.pos)])
    assert [own.bead_name[0][0] for own in found] == ["ALA", "GLY"]
    again = Reference.from_dict(found[1].to_dict())
    np.testing.assert_allclose(again.pos, 2 * snake()[None], atol=1e-5)
    newer = replace(found[0], pos=3 * snake()[None])
    kept = {own.bead_name[0][0]: own.pos for own in merged([newer], found)}
    assert set(kept) == {"ALA", "GLY"}
    np.testing.assert_array_equal(kept["ALA"], newer.pos)
