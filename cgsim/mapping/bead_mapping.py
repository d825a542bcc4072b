"""The mapping itself: which atom is in which bead, and where the bead is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cgsim.io import Molecule
    from cgsim.io.display import Facts

OWN = "#"  # between the type of an atom and its bead


def plain_type(name: str) -> str:
    """The type of an atom without its bead (see `Mapping.with_own_types`)."""
    return name.partition(OWN)[0]


@dataclass(frozen=True)
class Mapping:
    """Atoms grouped into beads; calling it maps positions.

    Parameters
    ----------
    bead_index
        ``[n_atoms]`` int64, the bead of each atom; no bead is empty.
    bead_mass
        ``[n_beads]`` float64, Da.
    edge_index
        ``[2, n_bonds]`` int64, the pairs of beads that share at least one atom bond, each once
        with ``i < j``, sorted.
    recipe
        What `build_mapping` needs to make it again, for this or another molecule; JSON-able.
    atom_weight
        ``[n_atoms]`` float64, the share of each atom in the position of its bead; those of a bead
        add up to one. Shares of the mass put a bead at its centre of mass.
    """

    bead_index: np.ndarray
    bead_mass: np.ndarray
    edge_index: np.ndarray
    recipe: dict[str, Any]
    atom_weight: np.ndarray

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.bead_index)

    @property
    def n_beads(self) -> int:
        """Number of beads."""
        return len(self.bead_mass)

    @property
    def keeps_rigid_motion(self) -> bool:
        """Whether trajectories are mapped as they are (see `without_rigid_motion`)."""
        return bool(self.recipe.get("rigid_motion", True))

    def without_rigid_motion(self) -> "Mapping":
        """The same mapping; of trajectories that it maps, each frame is superposed on the last.

        For one small molecule without a cell: its diffusion and tumbling are taken out of what is
        learnt (see `cgsim.mapping.superposition.Superposition`).
        """
        return replace(self, recipe=self.recipe | {"rigid_motion": False})

    @property
    def has_own_types(self) -> bool:
        """Whether each bead is a type of its own (see `with_own_types`)."""
        return bool(self.recipe.get("own_types", False))

    def with_own_types(self) -> "Mapping":
        """The same mapping; what its atoms are called tells their bead, as C#12 of bead 12.

        For simulators of one molecule: they learn what each bead does, not what beads of its kind
        do, and refuse every other molecule.
        """
        return replace(self, recipe=self.recipe | {"own_types": True})

    def types_of(self, atom_type: Sequence[str]) -> tuple[str, ...]:
        """Types of the atoms [n_atoms] as trajectories that it maps have them."""
        if not self.has_own_types:
            return tuple(atom_type)
        beads = self.bead_index.tolist()
        return tuple(f"{own}{OWN}{bead}" for own, bead in zip(atom_type, beads, strict=True))

    def __call__(self, xyz: np.ndarray) -> np.ndarray:
        """Return the positions of the beads: weighted means of those of their atoms.

        Parameters
        ----------
        xyz
            ``[n_frames, n_atoms, 3]`` nm, molecules whole.

        Returns
        -------
        np.ndarray
            ``[n_frames, n_beads, 3]`` nm, float64.

        Raises
        ------
        ValueError
            If the shape is another.
        """
        xyz = np.asarray(xyz)
        if xyz.ndim != 3 or xyz.shape[1:] != (self.n_atoms, 3):
            raise ValueError(
                f"xyz must be [n_frames, {self.n_atoms}, 3] for this mapping, not {list(xyz.shape)}"
            )
        order = np.argsort(self.bead_index, kind="stable")
        start = np.searchsorted(self.bead_index[order], np.arange(self.n_beads))
        weight = self.atom_weight[order]
        return np.add.reduceat(weight[:, None] * xyz[:, order], start, axis=1)

    def _facts(self) -> "Facts":
        n_atoms, mass = np.bincount(self.bead_index), self.bead_mass
        return {
            "method": recipe_text(self.recipe),
            "beads": f"{self.n_beads:,} of {self.n_atoms:,} atoms",
            "atoms": f"{n_atoms.min():,} to {n_atoms.max():,} of a bead",
            "mass": f"{mass.min():,.1f} to {mass.max():,.1f} Da of a bead",
            "bonds": f"{self.edge_index.shape[1]:,} between beads",
        }

    def __repr__(self) -> str:
        from cgsim.io.display import as_text  # here: see MAPPERS on imports

        return as_text("Mapping", self._facts())

    def _repr_html_(self) -> str:
        from cgsim.io.display import as_html

        return as_html("Mapping", self._facts())


def recipe_text(recipe: dict[str, Any]) -> str:
    """A recipe in words, without its lists."""
    own = {name: value for name, value in recipe.items() if not isinstance(value, list | dict)}
    still = "" if own.pop("rigid_motion", True) else ", without rigid motion"
    typed = ", each bead a type of its own" if own.pop("own_types", False) else ""
    method = own.pop("method", "unknown")
    parameters = ", ".join(f"{name} {value}" for name, value in own.items())
    return f"{method}{f' ({parameters})' if parameters else ''}{still}{typed}"


def recipe_difference(own: dict[str, Any], expected: dict[str, Any]) -> str:
    """The first parameter in which two recipes differ, in words; empty if none does.

    What only one of them tells is a default that an older version did not write. Whether rigid
    motion was left out is no difference of the beads.
    """
    both = (name for name in ("method", *own) if name in own and name in expected)
    for name in both:
        if own[name] != expected[name] and name != "rigid_motion":
            return f"{name} {_short(own[name])} against {_short(expected[name])}"
    return ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def mapping_from_index(
    molecule: "Molecule", bead_index: np.ndarray, *, recipe: dict[str, Any]
) -> Mapping:
    """Make a mapping of `molecule` from the bead ``[n_atoms]`` of each atom, at centres of mass.

    Raises
    ------
    ValueError
        If an atom is in no bead, a bead has no atom, or the length is wrong.
    """
    bead_index = np.asarray(bead_index, dtype=np.int64)
    if bead_index.shape != (molecule.n_atoms,):
        raise ValueError(
            f"the mapping is for {len(bead_index)} atoms, but {molecule.name!r} has "
            f"{molecule.n_atoms}"
        )
    if (bead_index < 0).any():
        raise ValueError(f"atom {int(np.argmax(bead_index < 0))} is in no bead")
    n_atoms_of_bead = np.bincount(bead_index)
    if (n_atoms_of_bead == 0).any():
        empty = int(np.argmin(n_atoms_of_bead))
        raise ValueError(
            f"bead {empty} has no atoms, but bead {len(n_atoms_of_bead) - 1} has: "
            "beads must be numbered 0, 1, 2, ... without gaps"
        )
    _check_connected(molecule, bead_index)
    edges = np.sort(bead_index[molecule.bond_index], axis=0)
    edges = np.unique(edges[:, edges[0] != edges[1]], axis=1).reshape(2, -1)
    bead_mass = np.bincount(bead_index, weights=molecule.atom_mass)
    if (bead_mass == 0).any():
        site = int(np.flatnonzero(bead_mass[bead_index] == 0)[0])
        raise ValueError(
            f"bead {bead_index[site]} holds virtual sites only (atom {site}, "
            f"{molecule.topology.atom(site)}), which have no mass: put them into the bead of the "
            "atoms that they belong to"
        )
    atom_weight = molecule.atom_mass / bead_mass[bead_index]
    return Mapping(bead_index, bead_mass, edges, recipe, atom_weight)


def _check_connected(molecule: "Molecule", bead_index: np.ndarray) -> None:
    """Check that no bead holds atoms of several molecules: they drift apart, it is nowhere."""
    part = molecule.component
    lowest = np.full(bead_index.max() + 1, molecule.n_atoms)
    np.minimum.at(lowest, bead_index, part)
    other = part != lowest[bead_index]
    if not other.any():
        return
    second = int(np.argmax(other))
    bead = int(bead_index[second])
    members = np.flatnonzero(bead_index == bead)
    first = int(members[np.argmin(part[members])])
    n_beads = len(np.unique(bead_index[other]))
    more = f", and {n_beads - 1} more beads are alike" if n_beads > 1 else ""
    top = molecule.topology
    raise ValueError(
        f"bead {bead} joins {len(np.unique(part[members]))} molecules: no bonds lead from "
        f"{top.atom(first)} (atom {first}) to {top.atom(second)} (atom {second}){more}. They drift "
        "apart, and a bead between them means nothing: give each molecule beads of its own, or, if "
        "they hold together, add the bond to the topology (CONECT)"
    )


def placed_at_atoms(mapping: Mapping, atoms: Sequence[int]) -> Mapping:
    """The same beads, each at the position of one of its atoms (``[n_beads]`` indices)."""
    atom_weight = np.zeros(mapping.n_atoms)
    atom_weight[list(atoms)] = 1.0
    return replace(mapping, atom_weight=atom_weight)


def map_atoms(molecule: "Molecule") -> Mapping:
    """Make each atom a bead; a virtual site belongs to the bead of its atom."""
    _, bead_index = np.unique(atoms_of_sites(molecule), return_inverse=True)
    return mapping_from_index(molecule, bead_index, recipe={"method": "atoms"})


def atoms_of_sites(molecule: "Molecule") -> np.ndarray:
    """The atom that each virtual site is bonded to, and every other atom itself ``[n_atoms]``."""
    owner = np.arange(molecule.n_atoms)
    is_site = molecule.atom_mass == 0
    for first, second in (molecule.bond_index, molecule.bond_index[::-1]):
        rows = is_site[first] & ~is_site[second]
        owner[first[rows]] = second[rows]
    return owner


def map_residues(molecule: "Molecule") -> Mapping:
    """Make each residue of the topology a bead."""
    residue = np.array([atom.residue.index for atom in molecule.topology.atoms])
    _, bead_index = np.unique(residue, return_inverse=True)
    return mapping_from_index(molecule, bead_index, recipe={"method": "residues"})
