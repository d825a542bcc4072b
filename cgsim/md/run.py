"""How long to simulate, what to write and where: settings that every kind of molecule shares."""

import math
from dataclasses import dataclass
from typing import ClassVar

from cgsim.md.merged import PLATFORMS

FORMATS = ("xtc", "dcd")


@dataclass(frozen=True)
class Run:
    """Length, frames and seed of simulations; what is simulated completes it.

    Attributes
    ----------
    duration : float
        Production time of each replica, ps.
    frame_interval : float
        Time between written frames, ps; a multiple of ``timestep``.
    equilibration : float
        Time simulated and thrown away before, ps; 0 or a multiple of ``frame_interval``.
    n_replicas : int
        Independent runs of each molecule, with velocities and noise of their own.
    seed : int
        Seed of everything random.
    platform : str
        ``"auto"`` (CUDA if it works, else CPU), ``"CPU"``, ``"CUDA"``, ``"OpenCL"`` or
        ``"Reference"``.
    format : str
        ``"xtc"`` or ``"dcd"``.
    timestep : float
        Of the integrator, ps; a constant of the class.
    """

    timestep: ClassVar[float]

    duration: float
    frame_interval: float = 1.0
    equilibration: float = 0.0
    n_replicas: int = 1
    seed: int = 0
    platform: str = "auto"
    format: str = "xtc"

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
        if self.platform not in PLATFORMS:
            raise ValueError(f"platform must be one of {PLATFORMS}, got {self.platform!r}")
        if self.format not in FORMATS:
            raise ValueError(f"format must be one of {FORMATS}, got {self.format!r}")

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


def _check_multiple(name: str, value: float, unit_name: str, unit: float) -> None:
    """Raise ValueError unless ``value`` is a positive whole number of times ``unit``."""
    ratio = value / unit
    if not math.isfinite(ratio) or round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6 * ratio:
        raise ValueError(
            f"{name} must be a positive multiple of the {unit_name} ({unit} ps), got {value}"
        )
