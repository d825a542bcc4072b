"""Reference structures of a molecule: what a folded one is held together by.

The mean of superposed frames, or structures that are given. Whether a molecule is folded is judged
by what stands: pairs of beads far apart along the chain that stay near each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, shortest_path

from cgsim.mapping.superposition import centred, superposed
from cgsim.mapping.trajectory import MappedTrajectory

NEAR = 2.6  # mean bond lengths: 1 nm of C-alpha beads
FAR_ALONG = 4  # bead bonds; pairs nearer than that are edges of every molecule
STANDING = 0.75  # share of the frames in which a pair is near
FEWEST_FRAMES = 20
MOST_FRAMES = 1000  # that are looked at
MOST_BEADS = 2000  # of which all pairs are looked at
_N_ROUNDS = 3  # of superposition on the mean; more change it by less than 1e-4 nm
_OF_PROTEINS = frozenset(
    (
        *("ALA", "ARG", "ASH", "ASN", "ASP", "CYM", "CYS", "CYX", "GLH", "GLN", "GLU", "GLY"),
        *("HID", "HIE", "HIP", "HIS", "HSD", "HSE", "HSP", "ILE", "LEU", "LYN", "LYS", "MET"),
        *("MSE", "PHE", "PRO", "SEC", "SER", "THR", "TRP", "TYR", "VAL"),
        *("ACE", "NH2", "NHE", "NMA", "NME"),
    )
)


@dataclass(frozen=True)
class Reference:
    """Reference structures of one molecule, which is known by the names of its beads.

    Attributes
    ----------
    bead_name : n_beads pairs
        As of `MappedTrajectory`.
    pos : [n_references, n_beads, 3]
        nm.
    """

    bead_name: tuple[tuple[str, str], ...]
    pos: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"bead_name": [list(name) for name in self.bead_name], "pos": as_list(self.pos)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Reference":
        """From JSON.

        Raises
        ------
        ValueError
            If structures and names do not fit together.
        """
        try:
            names = tuple((residue, atom) for residue, atom in values["bead_name"])
            return cls(names, checked_reference(values["pos"], len(names)))
        except (KeyError, TypeError) as error:
            raise ValueError(f"reference: incomplete or damaged ({error!r})") from error


def as_list(reference: np.ndarray) -> list[Any]:
    """Structures for JSON, to 1e-5 nm."""
    return np.round(np.asarray(reference, dtype=np.float64), 5).tolist()


def checked_reference(values: Any, n_beads: int) -> np.ndarray:
    """Reference structures [n_references, n_beads, 3], nm, of plain numbers.

    Raises
    ------
    ValueError
        If there are none, their shape is another, or they are not finite.
    """
    pos = np.asarray(values, dtype=np.float64)
    if pos.ndim != 3 or not len(pos) or pos.shape[1:] != (n_beads, 3):
        raise ValueError(
            f"reference must be [n_references, {n_beads}, 3] for {n_beads} beads, "
            f"not {list(pos.shape)}"
        )
    if not np.isfinite(pos).all():
        raise ValueError("reference must be finite")
    return pos


def with_reference(trajectory: MappedTrajectory, pos: np.ndarray) -> MappedTrajectory:
    """The trajectory of a molecule with these reference structures [n_references, n_beads, 3], nm.

    Raises
    ------
    ValueError
        If they are not of its beads.
    """
    try:
        return replace(trajectory, reference=checked_reference(pos, trajectory.n_beads))
    except ValueError as error:
        raise ValueError(f"{trajectory.name}: {error}") from error


def references_of(trajectories: Iterable[MappedTrajectory]) -> tuple[Reference, ...]:
    """The references of all molecules that have some, each molecule once."""
    found: dict[tuple[tuple[str, str], ...], Reference] = {}
    for own in trajectories:
        if own.reference is not None:
            found.setdefault(own.bead_name, Reference(own.bead_name, own.reference))
    return tuple(found.values())


def merged(first: Sequence[Reference], second: Sequence[Reference]) -> tuple[Reference, ...]:
    """References of all molecules of both; of one that is in both, the first ones."""
    return tuple({own.bead_name: own for own in [*second, *first]}.values())


def mean_structure(trajectories: Sequence[MappedTrajectory]) -> np.ndarray:
    """The mean of the frames of one molecule, superposed on it [n_beads, 3], nm.

    Of at most `MOST_FRAMES` evenly spaced frames; the mean has its own centre at the origin.

    Raises
    ------
    ValueError
        If there are no frames.
    """
    frames, mass = _sample(trajectories), trajectories[0].bead_mass
    mean = centred(frames[:1], mass)[0][0]
    for _ in range(_N_ROUNDS):
        mean = superposed(frames, mean[None], mass).mean(axis=0)
    return mean


def standing_pairs(trajectories: Sequence[MappedTrajectory]) -> np.ndarray:
    """Pairs of beads that are far apart along the chain and stay near each other [2, n_pairs].

    More than `FAR_ALONG` bead bonds apart, and within `NEAR` mean bond lengths in at least the
    share `STANDING` of the frames.
    """
    frames, first = _sample(trajectories), trajectories[0]
    bonds = first.edge_index
    length = np.linalg.norm(frames[:, bonds[0]] - frames[:, bonds[1]], axis=2).mean()
    adjacency = csr_matrix((np.ones(bonds.shape[1]), tuple(bonds)), shape=(first.n_beads,) * 2)
    along = shortest_path(adjacency, directed=False, unweighted=True)
    one, other = np.nonzero(np.triu(along > FAR_ALONG))
    share = np.zeros(len(one))
    for frame in frames:
        share += np.linalg.norm(frame[one] - frame[other], axis=1) < NEAR * length
    is_standing = share >= STANDING * len(frames)
    return np.stack([one[is_standing], other[is_standing]])


def is_folded(trajectories: Sequence[MappedTrajectory]) -> bool:
    """Whether the frames are of one folded protein: what gets a mean reference by itself.

    One chain of amino acids, at least as many pairs as beads stand (see `standing_pairs`), and
    there are frames enough to tell, at least `FEWEST_FRAMES`. A disordered chain has few standing
    pairs; polymers, several molecules and what else is no protein are never taken for folded.
    """
    first = trajectories[0]
    if any(own.bead_name != first.bead_name for own in trajectories):
        return False
    if not all(residue in _OF_PROTEINS for residue, _ in first.bead_name):
        return False
    n_beads, bonds = first.n_beads, first.edge_index
    adjacency = csr_matrix((np.ones(bonds.shape[1]), tuple(bonds)), shape=(n_beads, n_beads))
    is_one = connected_components(adjacency, directed=False)[0] == 1 and bonds.size > 0
    if (
        not is_one
        or n_beads > MOST_BEADS
        or sum(own.n_frames for own in trajectories) < FEWEST_FRAMES
    ):
        return False
    return standing_pairs(trajectories).shape[1] >= n_beads


def _sample(trajectories: Sequence[MappedTrajectory]) -> np.ndarray:
    """Evenly spaced frames of all trajectories [n_frames, n_beads, 3], nm."""
    n_each = max(1, MOST_FRAMES // max(1, len(trajectories)))
    parts = []
    for own in trajectories:
        rows = np.unique(np.linspace(0, max(own.n_frames - 1, 0), n_each).astype(int))
        parts.append(np.asarray(own.pos[rows[: own.n_frames]], dtype=np.float64))
    frames = np.concatenate(parts)
    if not len(frames):
        raise ValueError(f"{trajectories[0].name}: no frames to take the mean of")
    return frames
