"""Potential energies to minimise placed atoms with: a peptide force field, or plain geometry."""

import numpy as np
import openmm
from openmm import app

from cgsim.evaluate.observables.covalent import angle_index, bond_angles, distant_pairs, neighbours
from cgsim.evaluate.observables.structure import bond_lengths, pair_distances
from cgsim.io import Molecule
from cgsim.md import PeptideForceField

_BOND = 2e5  # kJ/mol/nm^2
_ANGLE = 400.0  # kJ/mol/rad^2
_TORSION = 200.0  # kJ/mol/rad^2
_REPULSION = 2e4  # kJ/mol/nm^2
_STIFF = np.radians(20.0)  # torsions that vary less than this in the reference are held
_MIN_FRAMES = 10  # to know a torsion as one that varies


def peptide_energy(molecule: Molecule) -> openmm.System:
    """Return ff14SBonlysc with GBn2 implicit water, all bonds flexible (see `PeptideForceField`).

    Raises
    ------
    ValueError
        If the molecule has residues that the force field does not know.
    """
    topology = molecule.topology.to_openmm()
    try:
        return PeptideForceField().load().createSystem(topology, nonbondedMethod=app.NoCutoff)
    except ValueError as error:
        reason = str(error).partition("  For more information")[0]
        raise ValueError(
            f"{molecule.name!r} is no peptide that the force field knows: {reason} "
            "Minimise by geometry instead"
        ) from error


def geometry_energy(molecule: Molecule, reference: np.ndarray) -> openmm.System:
    """Return springs to the covalent geometry of the reference frames, for any molecule.

    Bonds and angles have their mean in the reference; so have torsions, proper and improper, that
    the reference never turns (double bonds, rings, planes, stereocentres); in fewer than ten frames
    that cannot be seen, and all improper and no proper ones count. Atoms more than three
    bonds apart repel each other below the shortest distance that their types have in the reference.

    Parameters
    ----------
    molecule
        Atoms and bonds.
    reference
        ``[n_reference, n_atoms, 3]`` nm.
    """
    system = openmm.System()
    for mass in molecule.atom_mass:
        system.addParticle(float(mass))
    bonds = openmm.HarmonicBondForce()
    lengths = bond_lengths(reference, molecule.bond_index).mean(axis=0)
    for (i, j), length in zip(molecule.bond_index.T.tolist(), lengths.tolist(), strict=True):
        bonds.addBond(i, j, length, _BOND)
    bends = openmm.HarmonicAngleForce()
    angles = angle_index(molecule)
    means = bond_angles(reference, angles).mean(axis=0)
    for atoms, mean in zip(angles.T.tolist(), means.tolist(), strict=True):
        bends.addAngle(*atoms, mean, _ANGLE)
    for force in (bonds, bends, _torsion_force(molecule, reference)):
        system.addForce(force)
    repulsion = _repulsion(molecule, reference)
    if repulsion is not None:
        system.addForce(repulsion)
    return system


def torsions(xyz: np.ndarray, quartets: np.ndarray) -> np.ndarray:
    """Return the dihedral angles ``[n_frames, n_quartets]`` in radians of ``[4, n_quartets]``."""
    a, b, c, d = (xyz[:, row] for row in quartets)
    first, axis, last = b - a, c - b, d - c
    normal, other = np.cross(first, axis), np.cross(axis, last)
    sine = (np.linalg.norm(axis, axis=-1)[..., None] * first * other).sum(-1)
    return np.arctan2(sine, (normal * other).sum(-1))


def _torsion_force(molecule: Molecule, reference: np.ndarray) -> openmm.CustomTorsionForce:
    force = openmm.CustomTorsionForce(
        "0.5*stiffness*turn^2; turn=min(away, 2*pi-away); away=abs(theta-theta0); pi=3.14159265359"
    )
    force.addGlobalParameter("stiffness", _TORSION)
    force.addPerTorsionParameter("theta0")
    quartets = _improper_index(molecule)
    if len(reference) >= _MIN_FRAMES:
        quartets = np.concatenate([quartets, _proper_index(molecule)], axis=1)
    phase = np.exp(1j * torsions(reference, quartets)).mean(axis=0)
    spread = np.sqrt(-2.0 * np.log(np.clip(np.abs(phase), 1e-12, 1.0)))
    for atoms, mean in zip(
        quartets[:, spread < _STIFF].T.tolist(),
        np.angle(phase[spread < _STIFF]).tolist(),
        strict=True,
    ):
        force.addTorsion(*atoms, [mean])
    return force


def _improper_index(molecule: Molecule) -> np.ndarray:
    """Atoms with three neighbours or more: [4, n], the atom first, then three neighbours."""
    quartets = [
        (centre, *bonded[:3].tolist())
        for centre, bonded in enumerate(neighbours(molecule))
        if len(bonded) >= 3
    ]
    return np.array(quartets, dtype=np.int64).reshape(-1, 4).T


def _proper_index(molecule: Molecule) -> np.ndarray:
    """All chains of three bonds over four atoms: [4, n]."""
    bonded = [row.tolist() for row in neighbours(molecule)]
    quartets = [
        (a, b, c, d)
        for b, c in molecule.bond_index.T.tolist()
        for a in bonded[b]
        for d in bonded[c]
        if len({a, b, c, d}) == 4
    ]
    return np.array(quartets, dtype=np.int64).reshape(-1, 4).T


def _repulsion(molecule: Molecule, reference: np.ndarray) -> openmm.CustomNonbondedForce | None:
    pairs = distant_pairs(molecule)
    if not pairs.size:
        return None
    kinds = sorted(set(molecule.atom_type))
    kind = np.array([kinds.index(name) for name in molecule.atom_type])
    shortest = np.full((len(kinds), len(kinds)), np.inf)
    np.minimum.at(shortest, tuple(kind[pairs]), pair_distances(reference, pairs).min(axis=0))
    shortest = np.minimum(shortest, shortest.T)
    shortest[np.isinf(shortest)] = 0.0
    force = openmm.CustomNonbondedForce(f"0.5*{_REPULSION}*max(0, shortest(kind1, kind2) - r)^2")
    table = openmm.Discrete2DFunction(*shortest.shape, shortest.T.ravel().tolist())
    force.addTabulatedFunction("shortest", table)
    force.addPerParticleParameter("kind")
    for number in kind.tolist():
        force.addParticle([number])
    force.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffNonPeriodic)
    force.setCutoffDistance(float(shortest.max()))
    force.createExclusionsFromBonds(molecule.bond_index.T.tolist(), 3)
    return force
