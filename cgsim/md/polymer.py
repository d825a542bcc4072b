"""Genome-like polymers: chains of four fine bead types, written in ten constitutional units.

A documented stand-in for the coarse-grained polymer genome. A *constitutional unit* (CU) is a
few beads long: backbone beads B1, B2, some carrying pendant beads S1, S2. Class I chains repeat a
pattern of four CUs, class II chains are random CU sequences. Every chain of one size has exactly
the same number of beads: the last CU is cut short where needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import mdtraj
import numpy as np

BEADS_PER_CHAIN = {"tiny": 60, "mini": 120, "paper": 900}
PATTERN_LENGTH = 4
COMPOSITION_SPREAD = 0.4
_CONTACT = 0.9


@dataclass(frozen=True)
class Unit:
    """One constitutional unit: its beads and the bead each one hangs on.

    Attributes
    ----------
    bead_type : tuple of str
        Types in order, parents first.
    parent : tuple of int
        Bead of the unit that each bead is bonded to; -1 for the first bead, which is bonded to the
        backbone end of the unit before.
    end : int
        Backbone bead that the next unit is bonded to.
    """

    bead_type: tuple[str, ...]
    parent: tuple[int, ...]
    end: int


UNITS: tuple[Unit, ...] = (
    Unit(("B1", "B1", "B1"), (-1, 0, 1), 2),
    Unit(("B2", "B2", "B2"), (-1, 0, 1), 2),
    Unit(("B1", "B2", "B1", "B2"), (-1, 0, 1, 2), 3),
    Unit(("B1", "S1", "B1"), (-1, 0, 0), 2),
    Unit(("B1", "S2", "B1"), (-1, 0, 0), 2),
    Unit(("B2", "S1", "B2"), (-1, 0, 0), 2),
    Unit(("B2", "S2", "B2"), (-1, 0, 0), 2),
    Unit(("B1", "S1", "S1", "B1"), (-1, 0, 1, 0), 3),
    Unit(("B2", "S2", "S2", "B2"), (-1, 0, 1, 0), 3),
    Unit(("B1", "S1", "B2", "S2"), (-1, 0, 0, 2), 2),
)


N_PATTERNS = (len(UNITS) ** 4 + len(UNITS) ** 2 + 2 * len(UNITS)) // 4
"""Patterns of four CUs that are distinct up to rotation (Burnside's lemma)."""


@dataclass(frozen=True)
class Chain:
    """A polymer: bead types and bonds, and the CU sequence they come from.

    Attributes
    ----------
    name : str
        Unique among the chains of one directory; the stem of its files.
    kind : str
        ``"I"`` (periodic) or ``"II"`` (random).
    size : str
        ``"tiny"`` (60 beads), ``"mini"`` (120) or ``"paper"`` (900).
    atom_type : tuple of str
        Type of each bead, ``B1``, ``B2``, ``S1`` or ``S2``.
    bond_index : ndarray, shape [2, n_bonds]
        Each bond once, i < j, sorted.
    unit_sequence : tuple of int
        Index into ``UNITS`` of each CU; the last one may be cut short.
    """

    name: str
    kind: str
    size: str
    atom_type: tuple[str, ...]
    bond_index: np.ndarray = field(repr=False, compare=False)
    unit_sequence: tuple[int, ...]

    @property
    def n_atoms(self) -> int:
        """Number of fine beads."""
        return len(self.atom_type)


def build_chain(name: str, kind: str, *, size: str, unit_sequence: Sequence[int]) -> Chain:
    """Write a CU sequence out as beads and bonds, cut at the number of beads of ``size``.

    Raises
    ------
    ValueError
        Unknown kind, size or CU, or a sequence too short for the size.
    """
    n_beads = _check_kind_and_size(kind, size)
    unknown = [unit for unit in unit_sequence if not 0 <= unit < len(UNITS)]
    if unknown:
        raise ValueError(
            f"chain {name!r}: unknown constitutional units {unknown}; use 0..{len(UNITS) - 1}"
        )
    used: list[int] = []
    types: list[str] = []
    bonds: list[tuple[int, int]] = []
    end = -1
    for unit in unit_sequence:
        if len(types) >= n_beads:
            break
        first = len(types)
        parents = [end if parent < 0 else first + parent for parent in UNITS[unit].parent]
        bonds += [(parent, first + i) for i, parent in enumerate(parents) if parent >= 0]
        types += UNITS[unit].bead_type
        used.append(unit)
        end = first + UNITS[unit].end
    if len(types) < n_beads:
        raise ValueError(
            f"chain {name!r}: {len(used)} constitutional units hold {len(types)} beads, "
            f"but size {size!r} needs {n_beads}; give a longer unit_sequence"
        )
    bond_index = np.array(sorted(bond for bond in bonds if bond[1] < n_beads), dtype=np.int64).T
    return Chain(name, kind, size, tuple(types[:n_beads]), bond_index, tuple(used))


def sample_chains(kind: str, *, size: str, n_chains: int, seed: int) -> list[Chain]:
    """Draw distinct random chains of one class; the same arguments give the same chains.

    Class I draws four CUs uniformly and repeats them; two patterns that are rotations of each
    other count as the same chain and are drawn only once, so that any split of the list is a split
    of sequences. Class II draws a composition of the ten CUs for each chain (Dirichlet,
    concentration 0.4) and then every CU independently from it: with one composition for all, long
    random chains would all have the same average and nearly the same size. The first n chains do
    not depend on ``n_chains``.

    Parameters
    ----------
    kind : str
        ``"I"`` or ``"II"``.
    size : str
        ``"tiny"``, ``"mini"`` or ``"paper"``.
    n_chains : int
        How many, at least 1; there are 2530 of class I.
    seed : int
        Seed of the sequences, not negative.

    Raises
    ------
    ValueError
        Unknown kind or size, n_chains < 1, a negative seed, or more chains than there are.
    """
    n_beads = _check_kind_and_size(kind, size)
    if n_chains < 1:
        raise ValueError(f"n_chains must be at least 1, got {n_chains}")
    if kind == "I" and n_chains > N_PATTERNS:
        raise ValueError(f"only {N_PATTERNS} distinct class I chains exist, got {n_chains=}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    rng = np.random.default_rng([seed, ("I", "II").index(kind), n_beads])
    draw = _draw_periodic if kind == "I" else _draw_random
    sequences: dict[tuple[int, ...], tuple[int, ...]] = {}
    while len(sequences) < n_chains:
        sequence = draw(rng, n_beads)
        sequences.setdefault(_pattern_identity(sequence) if kind == "I" else sequence, sequence)
    return [
        build_chain(f"{size}-{kind}-s{seed}-{i:03d}", kind, size=size, unit_sequence=sequence)
        for i, sequence in enumerate(sequences.values())
    ]


def _check_kind_and_size(kind: str, size: str) -> int:
    if kind not in ("I", "II"):
        raise ValueError(f"kind must be 'I' (periodic) or 'II' (random), got {kind!r}")
    if size not in BEADS_PER_CHAIN:
        raise ValueError(f"size must be one of {sorted(BEADS_PER_CHAIN)}, got {size!r}")
    return BEADS_PER_CHAIN[size]


def _draw_periodic(rng: np.random.Generator, n_beads: int) -> tuple[int, ...]:
    pattern = rng.integers(len(UNITS), size=PATTERN_LENGTH).tolist()
    return _cut(pattern * n_beads, n_beads)


def _draw_random(rng: np.random.Generator, n_beads: int) -> tuple[int, ...]:
    weight = rng.dirichlet(np.full(len(UNITS), COMPOSITION_SPREAD))
    while True:
        sequence = _cut(rng.choice(len(UNITS), size=n_beads, p=weight).tolist(), n_beads)
        if sequence[PATTERN_LENGTH:] != sequence[:-PATTERN_LENGTH]:
            return sequence
        weight = rng.dirichlet(np.full(len(UNITS), COMPOSITION_SPREAD))


def _cut(sequence: Sequence[int], n_beads: int) -> tuple[int, ...]:
    """Return the shortest beginning of a CU sequence that holds ``n_beads``."""
    total = np.cumsum([len(UNITS[unit].bead_type) for unit in sequence])
    return tuple(sequence[: int(np.searchsorted(total, n_beads)) + 1])


def _pattern_identity(sequence: tuple[int, ...]) -> tuple[int, ...]:
    """Return the smallest rotation of the repeated pattern."""
    pattern = sequence[:PATTERN_LENGTH]
    return min(pattern[i:] + pattern[:i] for i in range(PATTERN_LENGTH))


def chain_topology(chain: Chain) -> mdtraj.Topology:
    """Topology of a chain: virtual-site atoms named by type, one residue ``U0``..``U9`` per CU."""
    topology = mdtraj.Topology()
    segment = topology.add_chain()
    for unit in chain.unit_sequence:
        residue = topology.add_residue(f"U{unit}", segment)
        n_left = chain.n_atoms - topology.n_atoms
        for name in UNITS[unit].bead_type[:n_left]:
            topology.add_atom(name, mdtraj.element.virtual, residue)
    atoms = list(topology.atoms)
    for i, j in chain.bond_index.T:
        topology.add_bond(atoms[i], atoms[j])
    return topology


def initial_coordinates(chain: Chain, *, seed: int | Sequence[int]) -> np.ndarray:
    """Grow a self-avoiding random walk along the bonds, with unit bond length.

    Each bead takes the first of 30 random directions that keeps 0.9 sigma from every other bead,
    or the roomiest one if none does (the minimiser repairs what is left).

    Returns
    -------
    ndarray, shape [n_atoms, 3], nm
        Centred on the origin.
    """
    rng = np.random.default_rng(seed)
    xyz = np.zeros((chain.n_atoms, 3))
    for parent, bead in sorted(chain.bond_index.T.tolist(), key=lambda bond: bond[1]):
        step = rng.normal(size=(30, 3))
        trial = xyz[parent] + step / np.linalg.norm(step, axis=1, keepdims=True)
        gap = np.linalg.norm(trial[:, None] - xyz[None, :bead], axis=2).min(axis=1)
        xyz[bead] = trial[np.argmax(np.minimum(gap, _CONTACT))]
    return xyz - xyz.mean(axis=0)
