"""Structure-based models of folded proteins: a bead per residue, held together by native contacts.

A Go model after Clementi, Nymeyer & Onuchic, J. Mol. Biol. 298, 937 (2000), of the C-alphas of one
structure, all of it in units of the contact energy e::

    U = sum_bonds k/2 (r - r0)^2 + sum_angles 20 e (t - t0)^2
      + sum_dihedrals e [(1 - cos(p - p0)) + (1 - cos 3(p - p0)) / 2]
      + sum_contacts e [5 (r0/r)^12 - 6 (r0/r)^10] + sum_others e (0.4 nm / r)^12

Contacts are pairs more than three residues apart and nearer than 0.8 nm in the structure.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import mdtraj
import numpy as np
import openmm
from scipy.spatial.distance import pdist, squareform

from cgsim.md.files import Description, check_names
from cgsim.md.merged import Langevin, MergedCopies
from cgsim.md.runs import FoldedRun
from cgsim.md.schedule import Method, run_replicas

CONTACT_DISTANCE = 0.8  # nm
FEWEST_BETWEEN = 4  # residues along the chain from one end of a contact to the other
LONGEST_BOND = 0.45  # nm between C-alphas; a longer one is a gap
MASS = 110.0  # Da, of the mean residue
REPULSION = 0.4  # nm
CUTOFF = 1.0  # nm, of the repulsion, which is 1e-5 e there


@dataclass(frozen=True)
class FoldedProtein:
    """The C-alphas of one protein chain in its native structure.

    Attributes
    ----------
    name : str
        Unique among the proteins of one directory; the stem of its files.
    residues : tuple of str
        Three-letter names.
    xyz : ndarray, shape [n_residues, 3], nm
        The native structure.
    source : str
        Name of the PDB file.
    """

    name: str
    residues: tuple[str, ...]
    xyz: np.ndarray = field(repr=False, compare=False)
    source: str

    @property
    def n_atoms(self) -> int:
        """Number of C-alphas."""
        return len(self.residues)

    @property
    def contacts(self) -> np.ndarray:
        """Native contacts [2, n_contacts], each once."""
        near = squareform(pdist(self.xyz)) < CONTACT_DISTANCE
        return np.array(np.nonzero(np.triu(near, k=FEWEST_BETWEEN)))

    def to_mdtraj(self) -> mdtraj.Trajectory:
        """The native structure with the bonds of the chain."""
        topology = mdtraj.Topology()
        chain = topology.add_chain()
        for index, name in enumerate(self.residues):
            residue = topology.add_residue(name, chain, resSeq=index + 1)
            topology.add_atom("CA", mdtraj.element.carbon, residue)
        atoms = list(topology.atoms)
        for first, second in pairwise(atoms):
            topology.add_bond(first, second)
        return mdtraj.Trajectory(self.xyz[None], topology)


def read_folded(file: str | Path) -> FoldedProtein:
    """The C-alphas of a PDB file of one protein chain; what is no protein is left out.

    Raises
    ------
    FileNotFoundError, ValueError
        If it cannot be read, holds no C-alphas or several chains of them, or residues are missing.
    """
    file = Path(file)
    structure = mdtraj.load_frame(str(file), 0)
    atoms = [atom for atom in structure.topology.atoms if atom.name == "CA" and _is_alpha(atom)]
    if len(atoms) < FEWEST_BETWEEN + 1:
        raise ValueError(f"{file}: {len(atoms)} C-alphas, which is no folded protein")
    if len({atom.residue.chain.index for atom in atoms}) > 1:
        raise ValueError(f"{file}: C-alphas of several chains: give one chain alone")
    xyz = np.asarray(structure.xyz[0, [atom.index for atom in atoms]], dtype=np.float64)
    gap = np.linalg.norm(np.diff(xyz, axis=0), axis=1) > LONGEST_BOND
    if gap.any():
        first = int(np.argmax(gap))
        raise ValueError(
            f"{file}: residues are missing between {atoms[first].residue} and "
            f"{atoms[first + 1].residue}: complete the structure (for example with PDBFixer)"
        )
    names = tuple(atom.residue.name for atom in atoms)
    return FoldedProtein(file.stem, names, xyz, file.name)


def _is_alpha(atom: "mdtraj.core.topology.Atom") -> bool:
    """Not a calcium ion, which is called CA too."""
    return atom.residue.name.strip() != "CA" and atom.element.symbol != "Ca"


def build_folded_system(proteins: Sequence[FoldedProtein], run: FoldedRun) -> openmm.System:
    """Merge proteins, in order, into one OpenMM System."""
    energy = run.contact_energy
    bonds = openmm.HarmonicBondForce()
    angles = openmm.HarmonicAngleForce()
    dihedrals = openmm.PeriodicTorsionForce()
    contacts = openmm.CustomBondForce(f"{energy}*(5*(r0/r)^12 - 6*(r0/r)^10)")
    contacts.addPerBondParameter("r0")
    others = openmm.CustomNonbondedForce(f"{energy}*({REPULSION}/r)^12")
    others.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffNonPeriodic)
    others.setCutoffDistance(CUTOFF)
    system = openmm.System()
    for protein in proteins:
        first, n, native = system.getNumParticles(), protein.n_atoms, protein.to_mdtraj()
        for _ in range(n):
            system.addParticle(MASS)
            others.addParticle([])
        chain = np.arange(n)
        pairs, threes, fours = (
            np.stack([chain[i : n - k + i] for i in range(k + 1)], axis=1) for k in (1, 2, 3)
        )
        lengths = mdtraj.compute_distances(native, pairs)[0].tolist()
        for pair, length in zip((pairs + first).tolist(), lengths, strict=True):
            bonds.addBond(*pair, length, run.bond_constant)
        bends = mdtraj.compute_angles(native, threes)[0].tolist()
        for three, angle in zip((threes + first).tolist(), bends, strict=True):
            angles.addAngle(*three, angle, 40.0 * energy)
        turns = mdtraj.compute_dihedrals(native, fours)[0].tolist()
        for four, angle in zip((fours + first).tolist(), turns, strict=True):
            # OpenMM has 1 + cos(n p - phase).
            dihedrals.addTorsion(*four, 1, angle + np.pi, energy)
            dihedrals.addTorsion(*four, 3, 3.0 * angle + np.pi, 0.5 * energy)
        near = protein.contacts.T
        reach = mdtraj.compute_distances(native, near)[0].tolist()
        for pair, length in zip((near + first).tolist(), reach, strict=True):
            contacts.addBond(*pair, [length])
            others.addExclusion(*pair)
        for apart in range(1, FEWEST_BETWEEN):
            for one in range(first, first + n - apart):
                others.addExclusion(one, one + apart)
    for force in (bonds, angles, dihedrals, contacts, others):
        system.addForce(force)
    return system


class MergedFolded(MergedCopies):
    """Langevin dynamics of several proteins that do not see each other, in one OpenMM Context.

    Parameters
    ----------
    proteins : sequence of FoldedProtein
        One entry per copy; the same protein may appear more than once.
    run : FoldedRun
        Its force field and temperature.
    platform : str
        ``"auto"``, ``"CPU"``, ``"CUDA"``, ``"OpenCL"`` or ``"Reference"``.
    """

    def __init__(
        self, proteins: Sequence[FoldedProtein], run: FoldedRun, *, platform: str = "auto"
    ) -> None:
        super().__init__(
            build_folded_system(proteins, run),
            [protein.n_atoms for protein in proteins],
            Langevin(run.temperature, run.friction, run.timestep),
            cutoff=CUTOFF,
            platform=platform,
        )


def generate_folded(
    proteins: Sequence[FoldedProtein], directory: str | Path, run: FoldedRun
) -> list[Path]:
    """Simulate every protein and write trajectories that ``cgsim`` and MDTraj can read.

    Per protein: ``<name>.pdb`` (the native C-alphas), ``<name>-r<replica>.xtc`` or ``.dcd``
    (unwrapped, no cell) and ``<name>.json`` (units, frame interval, temperature, parameters, seed,
    speed, versions). Frame i is at time (i + 1) x frame_interval after equilibration. Finished
    replicas are skipped, interrupted ones resumed, and a longer ``duration`` extends what is there.

    Returns
    -------
    list of Path
        The trajectory files, protein by protein, replica by replica.

    Raises
    ------
    ValueError
        Two proteins of one name, or a directory that holds data made with other settings.
    ArithmeticError
        A simulation blew up; what was simulated before stays.
    """
    directory = Path(directory)
    check_names([protein.name for protein in proteins])
    changeable = {"duration", "n_replicas", "platform", "temperature", "frame_interval"}
    settings = {name: value for name, value in asdict(run).items() if name not in changeable}
    for protein in proteins:
        Description(
            name=protein.name,
            frame_interval=run.frame_interval,
            temperature=run.temperature,
            parameters={
                **settings,
                "force_field": "structure-based, C-alpha",
                "timestep": run.timestep,
                "mass": MASS,
                "source": protein.source,
                "residues": list(protein.residues),
                "n_contacts": int(protein.contacts.shape[1]),
            },
        ).write(directory, protein.to_mdtraj())
    method: Method[FoldedProtein] = Method(
        label="protein MD",
        merge=lambda merged, platform: MergedFolded(merged, run, platform=platform),
        initial_coordinates=lambda protein, _seed: protein.xyz,
    )
    return run_replicas(proteins, directory, run, method)
