"""Steered molecular dynamics: a helix that is pulled apart at constant velocity.

The experiment that Gupta et al., "Mind reading of the proteins" (2020), took their second data set
from, after Park et al., J. Chem. Phys. 119, 3559 (2003): a helix of 100 alanines, its N-terminus
fixed, its C-terminus on a spring whose other end moves at 0.2 A/ps, Langevin dynamics at 300 K::

    U_spring = k/2 (x_pulled - x_fixed - d_0 - v t)^2,   k = 7 kcal/mol/A^2

along the axis from the fixed atom to the pulled one (x). Of their implicit solvent only a
dielectric constant of 20 is known; here it is that of the implicit water, whose solute has 1. The
fixed and the pulled atom are the carbonyl carbons of the first and the last amino acid, where no
constrained bond ends.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import openmm

from cgsim.md.files import Description
from cgsim.md.peptide_chain import Peptide
from cgsim.md.peptide_run import describe_peptide, run_peptides
from cgsim.md.peptide_structure import ALPHA_HELIX, CAPS, build_peptide
from cgsim.md.peptide_system import MergedPeptides, PeptideForceField
from cgsim.md.runs import SteeredRun

_TRAVEL = "travel"


@dataclass(frozen=True)
class SteeredForceField(PeptideForceField):
    """The force field of peptides, with a moving spring between their ends.

    Attributes
    ----------
    solvent_dielectric : float
        Dielectric constant of the implicit solvent.
    velocity : float
        Of the far end of the spring, nm/ps.
    spring_constant : float
        kJ/mol/nm^2.
    """

    solvent_dielectric: float = SteeredRun.solvent_dielectric
    velocity: float = SteeredRun.velocity
    spring_constant: float = SteeredRun.spring_constant

    @property
    def dielectric(self) -> float:
        """Dielectric constant of the solvent."""
        return self.solvent_dielectric

    def build_system(self, peptides: Sequence[Peptide], *, cutoff: float) -> openmm.System:
        """Merge peptides, in order, into one OpenMM System; one end of each is fixed."""
        system = super().build_system(peptides, cutoff=cutoff)
        spring = openmm.CustomCompoundBondForce(
            2, f"0.5 * spring_constant * (x2 - x1 - start - {_TRAVEL})^2"
        )
        spring.addGlobalParameter("spring_constant", self.spring_constant)
        spring.addGlobalParameter(_TRAVEL, 0.0)
        spring.addPerBondParameter("start")
        first = 0
        for peptide in peptides:
            fixed, pulled = ends(peptide)
            system.setParticleMass(first + fixed, 0.0)
            spring.addBond([first + fixed, first + pulled], [end_to_end(peptide)])
            first += peptide.n_atoms
        system.addForce(spring)
        return system


class MergedSteered(MergedPeptides):
    """Several peptides that are pulled at the same time, in one OpenMM Context.

    Parameters
    ----------
    peptides : sequence of Peptide
        Each with its ends along x (see `aligned`).
    force_field : SteeredForceField
        Parameters of the potential, the dynamics and the spring.
    platform : str
        ``"auto"``, ``"CPU"``, ``"CUDA"``, ``"OpenCL"`` or ``"Reference"``.
    """

    def __init__(
        self, peptides: Sequence[Peptide], force_field: SteeredForceField, *, platform: str = "auto"
    ) -> None:
        super().__init__(peptides, force_field, platform=platform)
        self._velocity = force_field.velocity

    def _step(self, steps: range, *, start: float) -> None:
        """Step with the spring, which rests until the time is positive."""
        for step in steps:
            time = start + (step + 1) * self._dynamics.timestep
            self._context.setParameter(_TRAVEL, self._velocity * max(time, 0.0))
            super()._step(range(step, step + 1), start=start)


def force_field_of(run: SteeredRun) -> SteeredForceField:
    """The force field with the spring of a run."""
    return SteeredForceField(
        temperature=run.temperature,
        solvent_dielectric=run.solvent_dielectric,
        velocity=run.velocity,
        spring_constant=run.spring_constant,
        solvent=run.solvent,
    )


def build_helix(sequence: str, *, capped: bool = True, name: str | None = None) -> Peptide:
    """Build a peptide as an alpha-helix; parameters and errors as of `build_peptide`."""
    return build_peptide(sequence, capped=capped, name=name, dihedrals=ALPHA_HELIX)


def ends(peptide: Peptide) -> tuple[int, int]:
    """Carbonyl carbons of the first and the last amino acid: the fixed and the pulled atom.

    Raises
    ------
    ValueError
        A peptide of a single amino acid.
    """
    carbons = [
        atom.index
        for residue in peptide.topology.residues()
        if residue.name not in CAPS
        for atom in residue.atoms()
        if atom.name == "C"
    ]
    if len(carbons) < 2:
        raise ValueError(f"{peptide.name}: pulling needs two amino acids or more")
    return carbons[0], carbons[-1]


def end_to_end(peptide: Peptide) -> float:
    """Distance of the fixed and the pulled atom in the starting structure, nm."""
    fixed, pulled = ends(peptide)
    return float(np.linalg.norm(peptide.xyz[pulled] - peptide.xyz[fixed]))


def aligned(peptide: Peptide) -> Peptide:
    """The same peptide, its fixed atom at the origin and the pulled one on the positive x axis."""
    fixed, pulled = ends(peptide)
    xyz = peptide.xyz - peptide.xyz[fixed]
    axis = xyz[pulled] / np.linalg.norm(xyz[pulled])
    # Orthonormal columns of which the first is the axis up to its sign.
    frame, _ = np.linalg.qr(np.column_stack([axis, np.eye(3)[:, np.argsort(np.abs(axis))[:2]]]))
    frame[:, 0] = axis
    frame[:, 2] *= np.sign(np.linalg.det(frame))
    return replace(peptide, xyz=xyz @ frame)


def generate_steered(
    peptides: Sequence[Peptide], directory: str | Path, run: SteeredRun
) -> list[Path]:
    """Pull every peptide and write trajectories that ``cgsim`` and MDTraj can read.

    Files, resumption and merging as of `generate_peptides`. The JSON also holds, under
    ``parameters``, the spring and the indices of the fixed and the pulled atom: what
    `cgsim.evaluate.observables.pulling.measure_pulling` needs. Frame i is at time (i + 1) x
    frame_interval of pulling.

    Returns
    -------
    list of Path
        The trajectory files, peptide by peptide, replica by replica.

    Raises
    ------
    ValueError
        Two peptides of one name, a single amino acid, or a directory that holds data made with
        other settings.
    ArithmeticError
        A simulation blew up; what was simulated before stays.
    """
    force_field = force_field_of(run)
    return run_peptides(
        [aligned(peptide) for peptide in peptides],
        Path(directory),
        run,
        label="steered MD",
        merge=lambda merged, platform: MergedSteered(merged, force_field, platform=platform),
        describe=lambda peptide: _describe(peptide, run),
    )


def _describe(peptide: Peptide, run: SteeredRun) -> Description:
    fixed, pulled = ends(peptide)
    steering = {"fixed_atom": fixed, "pulled_atom": pulled, "start": end_to_end(peptide)}
    return describe_peptide(peptide, run, asdict(force_field_of(run)) | steering)
