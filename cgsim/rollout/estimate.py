"""What a roll-out will take: memory by a model, time by its first steps."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from cgsim.hardware.memory import BUSY_EDGES, BYTES_PER_EDGE, CACHED_EDGES
from cgsim.hardware.needs import Need, announce, check_fits, free_memory
from cgsim.mapping.trajectory import MappedTrajectory

_KEPT_PER_EDGE = 1.1e3  # bytes: lists of neighbours, invariants, couplings of pairs
_WORKED_PER_EDGE = 1.5e3  # bytes more for the edges that are convolved at once, on a CPU
_N_TIMED, _TIMED_SECONDS = 20, 5.0  # steps and time that tell how fast it is, the first left out
_FRAME_BYTES = 12  # of a bead in single precision
_COPIES = 2  # frames that are kept are joined at the end


def step_bytes(n_edges: int, n_beads: int, *, device: torch.device, n_channels: int) -> float:
    """Memory of a step of the largest batch, beyond weights and program.

    On CPUs right to a third from 8,000 to 730,000 edges (chains of 40 to 1,000 beads, melts of
    1,000 to 20,000, the default networks), and to a twentieth of the larger ones; on GPUs by the
    figure behind `cgsim.hardware.memory.BYTES_PER_EDGE`, to a third.

    Parameters
    ----------
    n_edges, n_beads
        Of the batch.
    n_channels
        Width of the widest convolution.
    """
    history = 200.0 * n_beads
    if device.type == "cuda":
        at_once = min(n_edges, 2 * BUSY_EDGES)
        return history + _KEPT_PER_EDGE * n_edges + BYTES_PER_EDGE * n_channels * at_once
    return history + _KEPT_PER_EDGE * n_edges + _WORKED_PER_EDGE * min(n_edges, 2 * CACHED_EDGES)


def frame_bytes(n_beads: int, n_frames: int, *, kept: bool) -> float:
    """Memory of recorded frames: of all where they are kept, else of those that wait."""
    return float(_FRAME_BYTES) * n_beads * n_frames * (_COPIES if kept else 1)


@dataclass
class FirstSteps:
    """Times the first steps of a roll-out and then says in one line what all will take.

    The line comes after twenty steps or five seconds. The time is right to a tenth where all steps
    are alike and nothing else wants the machine; searches for neighbours, which only some steps
    make, add to that in large systems.

    Parameters
    ----------
    work
        What is done.
    n_bytes
        Memory it takes.
    n_steps
        Steps that are to be done now.
    """

    work: str
    n_bytes: float
    n_steps: int
    _n_done: int = 0
    _began: float = field(default_factory=time.perf_counter)
    _is_said: bool = False

    def step_is_done(self) -> None:
        """Count a step; say the line when enough are known."""
        if self._is_said:
            return
        now = time.perf_counter()
        self._n_done += 1
        if self._n_done == self.n_steps or (
            self._n_done > 1 and (self._n_done > _N_TIMED or now - self._began > _TIMED_SECONDS)
        ):
            self._is_said = True
            seconds = total_seconds(now - self._began, self._n_done, self.n_steps)
            announce("roll-out", self.work, Need(self.n_bytes, seconds))
        elif self._n_done == 1 and self.n_steps > 1:
            self._began = now  # the first step loads and prepares


def total_seconds(seconds: float, n_done: int, n_steps: int) -> float:
    """Time of all steps: the first was not timed, and those after it were ``seconds`` together."""
    return seconds * n_steps / max(1, n_done - 1)


def check_memory(n_bytes: float, device: torch.device, *, kept: bool) -> None:
    """Refuse a roll-out that cannot fit.

    Raises
    ------
    MemoryError
        Naming the options that would.
    """
    options = [
        "a smaller cutoff (of a simulator that is trained anew)",
        "fewer beads (more atoms in each)",
        "a smaller system",
    ]
    if kept:
        options = [
            "output=<folder>, which writes the frames to files",
            "fewer recorded frames (every)",
            "fewer replicas (n_replicas)",
            *options,
        ]
    check_fits("the roll-out", n_bytes, free=free_memory(device), options=options)


def work_of(
    systems: Sequence[MappedTrajectory], n_edges: int | None, *, n_steps: int, timestep: float
) -> str:
    """A roll-out in words."""
    n_beads = sum(system.n_beads for system in systems)
    edges = "" if n_edges is None else f", {n_edges / n_beads:.0f} edges per bead"
    return (
        f"{len(systems):,} trajectories, {n_beads:,} beads in all{edges}, {n_steps:,} steps of "
        f"{timestep:g} ps"
    )
