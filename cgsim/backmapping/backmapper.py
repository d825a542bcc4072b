"""From frames of beads to frames of atoms."""

import warnings
from collections.abc import Sequence
from typing import Literal, get_args

import mdtraj
import numpy as np
from tqdm import tqdm

from cgsim.backmapping.energy import geometry_energy, peptide_energy
from cgsim.backmapping.minimisation import Minimisation
from cgsim.backmapping.placement import Placement
from cgsim.evaluate.observables.covalent import handedness, stereocentres
from cgsim.io import Molecule
from cgsim.mapping import Mapping

Minimise = Literal["none", "geometry", "peptide"]
"""Energy to minimise: none, springs to the reference's geometry, or the peptide force field."""

CHUNK = 50
"""Frames at a time."""

_LONGEST_BOND = 3.0  # of the median bond; longer ones mean other atoms, or a molecule cut by a cell


class Backmapper:
    """Puts atoms on the beads of one molecule, frame after frame; see `backmap`."""

    def __init__(
        self,
        molecule: Molecule,
        mapping: Mapping,
        *,
        reference: mdtraj.Trajectory | np.ndarray,
        minimise: Minimise = "geometry",
    ) -> None:
        if minimise not in get_args(Minimise):
            raise ValueError(
                f"minimise must be one of {', '.join(get_args(Minimise))}, not {minimise!r}"
            )
        if mapping.n_atoms != molecule.n_atoms:
            raise ValueError(
                f"the mapping is of {mapping.n_atoms} atoms, {molecule.name!r} has "
                f"{molecule.n_atoms}"
            )
        self.molecule, self.mapping = molecule, mapping
        frames = _checked_reference(molecule, reference)
        self._placement = Placement(molecule, mapping, frames)
        self._centres = stereocentres(molecule)
        self._hand = np.sign(handedness(frames, self._centres).sum(axis=0))
        energies = [] if minimise == "none" else [geometry_energy(molecule, frames)]
        if minimise == "peptide":  # after the geometry: overlapping atoms would be torn apart
            energies.append(peptide_energy(molecule))
        self._minimisations = [Minimisation(energy, mapping) for energy in energies]

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Return atoms ``[n_frames, n_atoms, 3]`` nm for beads ``[n_frames, n_beads, 3]``."""
        beads = np.asarray(frames, dtype=np.float64)
        n_beads = self.mapping.n_beads
        if beads.ndim != 3 or beads.shape[1:] != (n_beads, 3) or len(beads) == 0:
            raise ValueError(
                f"frames must be [n_frames, {n_beads}, 3] for this mapping of "
                f"{self.molecule.name!r}, not {list(beads.shape)}"
            )
        finite = np.isfinite(beads).all(axis=(1, 2))
        if not finite.all():
            raise ValueError(
                f"frame {int(np.argmin(finite))} has bead positions that are not finite"
            )
        xyz = self._placement(beads)
        for minimisation in self._minimisations:
            for frame, places in enumerate(beads):
                xyz[frame] = minimisation(xyz[frame], places)
        self._warn_of_mirror_images(xyz)
        return xyz

    def _warn_of_mirror_images(self, xyz: np.ndarray) -> None:
        wrong = (handedness(xyz, self._centres) == -self._hand) & (self._hand != 0)
        if wrong.any():
            frame, centre = np.argwhere(wrong)[0]
            atom = self.molecule.topology.atom(int(self._centres[0, centre]))
            warnings.warn(
                f"{self.molecule.name!r}: {int(wrong.sum())} stereocentres in "
                f"{int(wrong.any(axis=1).sum())} of {len(xyz)} frames have the wrong handedness, "
                f"the first is {atom} in frame {frame}: the beads there are unlike all reference "
                "frames, give more of them",
                stacklevel=2,
            )


def backmap(
    frames: np.ndarray,
    molecule: Molecule,
    mapping: Mapping,
    *,
    reference: mdtraj.Trajectory | np.ndarray,
    minimise: Minimise = "geometry",
    time: Sequence[float] | np.ndarray | None = None,
) -> mdtraj.Trajectory:
    """Put atoms on frames of beads.

    Parameters
    ----------
    frames
        ``[n_frames, n_beads, 3]`` nm, whole molecules (unwrapped).
    molecule, mapping
        The atoms, and how they became beads.
    reference
        Frames of the same molecule with all atoms, whole: a trajectory, or
        ``[n_reference, n_atoms, 3]`` nm. One is enough; each bead gets its atoms from the frame
        whose beads nearby are most alike, so some hundreds of varied ones are better.
    minimise
        ``"none"``: beads stay exactly where they are. ``"geometry"``: springs to bonds, angles and
        rigid torsions of the reference and no overlaps, any molecule. ``"peptide"``: then the
        peptide force field. In both, beads are held by springs and move by 0.002 to 0.005 nm.
    time
        ``[n_frames]`` ps, to be stored with the frames.

    Returns
    -------
    mdtraj.Trajectory
        All atoms, float32. Deterministic.

    Raises
    ------
    ValueError
        If beads are too many, too few or not finite, the reference is of another molecule, or the
        force field does not know the molecule.

    Warns
    -----
    UserWarning
        If a stereocentre ends with another handedness than it has in the reference.
    """
    backmapper = Backmapper(molecule, mapping, reference=reference, minimise=minimise)
    places = np.asarray(frames, dtype=np.float64)
    chunks = [
        backmapper(places[start : start + CHUNK])
        for start in tqdm(range(0, max(1, len(places)), CHUNK), desc="backmapping", disable=None)
    ]
    return mdtraj.Trajectory(np.concatenate(chunks), molecule.topology, time=time)


def _checked_reference(molecule: Molecule, reference: mdtraj.Trajectory | np.ndarray) -> np.ndarray:
    """Return the reference frames ``[n_reference, n_atoms, 3]``, if they are of this molecule."""
    if isinstance(reference, mdtraj.Trajectory):
        theirs = [atom.name for atom in reference.topology.atoms]
        ours = [atom.name for atom in molecule.topology.atoms]
        different = [
            i for i, names in enumerate(zip(ours, theirs, strict=False)) if len({*names}) > 1
        ]
        if len(ours) == len(theirs) and different:
            atom = different[0]
            raise ValueError(
                f"the reference is of another molecule: its atom {atom} is {theirs[atom]!r}, that "
                f"of {molecule.name!r} is {ours[atom]!r}"
            )
        reference = reference.xyz
    xyz = np.asarray(reference, dtype=np.float64)
    if xyz.ndim != 3 or xyz.shape[1:] != (molecule.n_atoms, 3) or len(xyz) == 0:
        raise ValueError(
            f"the reference must be [n_reference, {molecule.n_atoms}, 3] for {molecule.name!r}, "
            f"not {list(xyz.shape)}"
        )
    if not np.isfinite(xyz).all():
        bad = int(np.argmin(np.isfinite(xyz).all(axis=(1, 2))))
        raise ValueError(f"reference frame {bad} has positions that are not finite")
    i, j = molecule.bond_index
    length = np.linalg.norm(xyz[:, i] - xyz[:, j], axis=-1)
    if length.size and (length.max() > _LONGEST_BOND * np.median(length)):
        frame, bond = np.unravel_index(length.argmax(), length.shape)
        raise ValueError(
            f"reference frame {frame}: atoms {i[bond]} and {j[bond]} are bonded in "
            f"{molecule.name!r} but {length.max():.2f} nm apart; the reference is of another "
            "molecule, or not made whole"
        )
    return xyz
