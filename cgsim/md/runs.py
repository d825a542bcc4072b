"""What is simulated for how long, and written how: the settings of reference MD.

Nothing heavy is imported here, as the command line shows these settings as options. They are the
one home of their defaults: the force fields take temperature, timestep, solvent and spring of a run
from here.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from cgsim.units import KJ_PER_KCAL, NM_PER_ANGSTROM

Platform = Literal["auto", "CPU", "CUDA", "OpenCL", "Reference"]
Solvent = Literal["GBn2", "OBC2"]
Format = Literal["xtc", "dcd"]


@dataclass(frozen=True)
class Run:
    """Length, frames and seed of simulations; what is simulated completes it.

    Attributes
    ----------
    duration : float
        Production time of each replica, ps.
    frame_interval : float
        Time between written frames, ps; a multiple of the timestep.
    equilibration : float
        Equilibration before production, not written, ps; 0 or a multiple of the frame interval.
    n_replicas : int
        Independent runs of each molecule.
    seed : int
        Seed of everything random.
    platform : str
        Platform of OpenMM; auto is CUDA if it works here, else CPU.
    format : str
        Format of the trajectory files.
    timestep : float
        Of the integrator, ps; a constant of the class.
    """

    timestep: ClassVar[float]

    duration: float
    frame_interval: float = 1.0
    equilibration: float = 0.0
    n_replicas: int = 1
    seed: int = 0
    platform: Platform = "auto"
    format: Format = "xtc"

    def __post_init__(self) -> None:
        _check_multiple("frame_interval", self.frame_interval, "timestep", self.timestep)
        _check_multiple("duration", self.duration, "frame_interval", self.frame_interval)
        if self.equilibration != 0.0:
            _check_multiple(
                "equilibration", self.equilibration, "frame_interval", self.frame_interval
            )
        if self.n_replicas < 1:
            raise ValueError(f"n_replicas must be at least 1, got {self.n_replicas}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        check_choice("platform", self.platform, get_args(Platform))
        check_choice("format", self.format, get_args(Format))

    @property
    def n_frames(self) -> int:
        """Frames written per replica."""
        return round(self.duration / self.frame_interval)

    @property
    def n_equilibration_frames(self) -> int:
        """Frame intervals simulated before the first written frame."""
        return round(self.equilibration / self.frame_interval)

    @property
    def steps_per_frame(self) -> int:
        """Molecular dynamics steps between frames."""
        return round(self.frame_interval / self.timestep)


@dataclass(frozen=True)
class PolymerRun(Run):
    """How to simulate polymers; one ps is one tau.

    The default equilibration is about ten median relaxation times of ``tiny`` chains.

    Attributes
    ----------
    frame_interval : float
        Time between written frames, ps; a multiple of the timestep, 0.01 ps.
    equilibration : float
        Equilibration of a minimised self-avoiding walk, not written, ps; 0 or a multiple of the
        frame interval, and at least 1000 for mini chains.
    n_replicas : int
        Independent runs of each chain, which differ in starting coordinates, velocities and noise.
    seed : int
        Seed of starting coordinates, velocities and noise.
    """

    timestep: ClassVar[float] = 0.01

    equilibration: float = 300.0


@dataclass(frozen=True)
class PeptideRun(Run):
    """How to simulate peptides.

    A chain of more than three residues takes longer than the default equilibration to forget that
    it was extended.

    Attributes
    ----------
    frame_interval : float
        Time between written frames, ps; a multiple of the timestep, 0.004 ps.
    equilibration : float
        Equilibration of the minimised structure, not written, ps; 0 or a multiple of the frame
        interval.
    n_replicas : int
        Independent runs of each peptide from one structure, which differ in velocities and noise.
    seed : int
        Seed of velocities and noise.
    temperature : float
        Temperature, K.
    solvent : str
        Implicit water; OBC2 is several times faster than GBn2 on a CPU, and less accurate.
    """

    timestep: ClassVar[float] = 0.004

    equilibration: float = 200.0
    temperature: float = 300.0
    solvent: Solvent = "GBn2"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive("temperature", self.temperature, "K")
        check_choice("solvent", self.solvent, get_args(Solvent))


@dataclass(frozen=True)
class SteeredRun(PeptideRun):
    """How to pull peptides; by default a helix of 100 residues to nearly its full length.

    Attributes
    ----------
    duration : float
        Time of pulling, ps.
    equilibration : float
        Equilibration with the spring at rest, not written, ps; 0 or a multiple of the frame
        interval.
    velocity : float
        Velocity of the far end of the spring, nm/ps.
    spring_constant : float
        Spring constant, kJ/mol/nm^2.
    solvent_dielectric : float
        Dielectric constant of the implicit solvent.
    """

    duration: float = 1000.0
    frame_interval: float = 0.1
    equilibration: float = 20.0
    velocity: float = 0.2 * NM_PER_ANGSTROM
    spring_constant: float = 7.0 * KJ_PER_KCAL / NM_PER_ANGSTROM**2
    solvent_dielectric: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive("velocity", self.velocity, "nm/ps")
        _check_positive("spring_constant", self.spring_constant, "kJ/mol/nm^2")
        if not (math.isfinite(self.solvent_dielectric) and self.solvent_dielectric >= 1.0):
            raise ValueError(
                f"solvent_dielectric must be at least 1, got {self.solvent_dielectric}"
            )


@dataclass(frozen=True)
class FoldedRun(Run):
    """How to simulate structure-based models of folded proteins.

    Attributes
    ----------
    frame_interval : float
        Time between written frames, ps; a multiple of the timestep, 0.02 ps.
    equilibration : float
        Equilibration of the native structure, not written, ps; 0 or a multiple of the frame
        interval.
    n_replicas : int
        Independent runs of each protein from one structure, which differ in velocities and noise.
    seed : int
        Seed of velocities and noise.
    temperature : float
        Temperature, K.
    contact_energy : float
        Depth of a native contact, kJ/mol: the lower, the softer the protein.
    bond_constant : float
        kJ/mol/nm^2.
    friction : float
        1/ps.
    """

    timestep: ClassVar[float] = 0.02

    equilibration: float = 200.0
    temperature: float = 300.0
    contact_energy: float = 2.75
    bond_constant: float = 20_000.0
    friction: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive("temperature", self.temperature, "K")
        _check_positive("contact_energy", self.contact_energy, "kJ/mol")
        _check_positive("bond_constant", self.bond_constant, "kJ/mol/nm^2")
        _check_positive("friction", self.friction, "1/ps")


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise ValueError unless a value is one of those there are."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {tuple(choices)}, got {value!r}")


def _check_positive(name: str, value: float, unit: str) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} must be positive, in {unit}, got {value}")


def _check_multiple(name: str, value: float, unit_name: str, unit: float) -> None:
    """Raise ValueError unless ``value`` is a positive whole number of times ``unit``."""
    ratio = value / unit
    if not math.isfinite(ratio) or round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6 * ratio:
        raise ValueError(
            f"{name} must be a positive multiple of the {unit_name} ({unit} ps), got {value}"
        )
