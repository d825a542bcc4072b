"""Chains of one site a residue: C-alphas, or beads that stand for a residue each."""

import warnings
from collections.abc import Collection, Sequence
from itertools import pairwise

import mdtraj
import numpy as np
from mdtraj.core.topology import Atom

from cgsim.io.periodic import minimum_image
from cgsim.io.residues import ion_symbol, template_of
from cgsim.io.stated import Pairs, StatedTopology

_MAX_CALPHA = 0.5  # nm: 0.38 in equilibrium, 0.29 at a cis peptide bond; 0.54 over a residue
_MAX_CALPHA_NOT_NEXT = 0.43  # nm, where numbers leave a gap that may be none
_CALPHA, _SLIPPED = 0.38, (6.0, 14.0)  # nm; its multiples where ångström is taken for nm
_MAX_OF_MEDIAN = 1.6  # other sites: of the median distance
_MAX_NAMED = 3


def chain_sites(stated: StatedTopology) -> set[int]:
    """Atoms that stand for a whole residue of a chain: alone in it, no water and no ion.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    residues = [list(residue.atoms) for residue in stated.topology.residues]
    sites = {atoms[0].index for atoms in residues if len(atoms) == 1 and _is_site(atoms[0])}
    if len(sites) < 2:
        raise ValueError(
            "bonds='chain' joins residues of one site each (C-alphas, for example), of which there "
            f"are {len(sites)}: leave it out, or keep one atom of each residue"
        )
    return sites


def chain_bonds(
    topology: mdtraj.Topology,
    sites: Collection[int],
    *,
    xyz: np.ndarray | None,
    cell: np.ndarray | None,
) -> Pairs:
    """Bonds from each site to the next of its chain.

    A chain ends where its name or segment does, where residue numbers fall or leave a gap, and
    where the next site is too far away.
    """
    candidates = _neighbours(topology, sites)
    distance = _distances(candidates, xyz, cell)
    pairs: Pairs = set()
    far = []
    for (first, second), apart in zip(candidates, distance, strict=True):
        is_next = second.residue.resSeq - first.residue.resSeq in (0, 1)
        are_calphas = first.name == second.name == "CA"
        limit = _MAX_CALPHA if are_calphas else _MAX_OF_MEDIAN * np.median(distance)
        if not is_next:
            limit = _MAX_CALPHA_NOT_NEXT if are_calphas and xyz is not None else -1.0
        if apart <= limit:
            pairs.add((first.index, second.index))
        elif is_next:
            far.append(f"{first} and {second}, {apart:.2f} nm")
    median = float(np.median(distance)) if len(distance) else 0.0
    if _SLIPPED[0] < median / _CALPHA < _SLIPPED[1] and all(
        first.name == second.name == "CA" for first, second in candidates
    ):
        raise ValueError(
            f"neighbouring C-alphas are {median:.2f} nm apart in the median, where {_CALPHA} is "
            "usual: most likely the file is in ångström where nm are meant"
        )
    if far:
        warnings.warn(
            f"sites that follow each other are not bonded, because they are too far apart: "
            f"{'; '.join(far[:_MAX_NAMED])}{' ...' if len(far) > _MAX_NAMED else ''}",
            stacklevel=2,
        )
    return pairs


def site_mass(residue_name: str) -> float:
    """Mass in Da of a standard residue within a chain, 0 if it is not known."""
    template = template_of(residue_name)
    return 0.0 if template is None or template.mass is None else template.mass


def _is_site(atom: Atom) -> bool:
    template = template_of(atom.residue.name)
    is_solvent = template is not None and template.kind in ("water", "lipid")
    return not is_solvent and ion_symbol(atom.residue.name, atom.name) is None


def _neighbours(topology: mdtraj.Topology, sites: Collection[int]) -> list[tuple[Atom, Atom]]:
    pairs = []
    for chain in topology.chains:
        atoms = [atom for atom in chain.atoms if atom.index in sites]
        pairs += [
            (first, second)
            for first, second in pairwise(atoms)
            if first.residue.segment_id == second.residue.segment_id
        ]
    return pairs


def _distances(
    pairs: Sequence[tuple[Atom, Atom]], xyz: np.ndarray | None, cell: np.ndarray | None
) -> np.ndarray:
    """Distances in nm; 0 where there are no positions."""
    if xyz is None or not pairs:
        return np.zeros(len(pairs))
    first, second = np.array([(a.index, b.index) for a, b in pairs]).T
    apart = xyz[second] - xyz[first]
    if cell is not None:
        apart = minimum_image(apart[None], cell[None])[0]
    return np.asarray(np.linalg.norm(apart, axis=1))
