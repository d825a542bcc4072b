"""What moves the systems of a roll-out: a simulator, in batches, or a propagator."""

import sys
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from cgsim.hardware.allocator import keep_freed_memory
from cgsim.hardware.devices import check_doubles
from cgsim.hardware.memory import fitting_edges
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.propagator import Propagator
from cgsim.model.simulator import Simulator
from cgsim.rollout.batches import Batches
from cgsim.rollout.propagation import Propagation
from cgsim.rollout.reporters import Restart


class Engine(Protocol):
    """What `cgsim.simulate` asks of either."""

    @property
    def timestep(self) -> float:
        """Of a step, ps."""

    @property
    def length_scale(self) -> float:
        """Mean length of the bead bonds, nm, that the guard goes by."""

    @property
    def device(self) -> torch.device:
        """Where positions are."""

    def checksum(self) -> int:
        """Of weights and scales: another roll-out is not gone on with."""

    def sampling(self) -> str:
        """How steps are sampled, likewise; empty where there is nothing to choose."""

    def batches(
        self, systems: Sequence[MappedTrajectory], *, seed: int, restart: Restart | None
    ) -> Batches | Propagation:
        """All systems at their start, in the batches of the roll-out that is continued."""


@dataclass(frozen=True)
class SimulatorEngine:
    """See `Engine`."""

    simulator: Simulator

    @property
    def timestep(self) -> float:
        """Of a step, ps."""
        return self.simulator.timestep

    @property
    def length_scale(self) -> float:
        """Of the training data, nm."""
        return self.simulator.scales.length_scale

    @property
    def device(self) -> torch.device:
        """That of the weights."""
        return next(self.simulator.parameters()).device

    def checksum(self) -> int:
        """Of weights and scales."""
        weights = b"".join(
            value.detach().cpu().numpy().tobytes() for value in self.simulator.parameters()
        )
        # By the name of the class when the first roll-outs were begun, so that they can go on.
        scales = repr(self.simulator.scales).replace("Scales(", "Statistics(", 1)
        return zlib.crc32(weights + scales.encode())

    def sampling(self) -> str:
        """See `Engine`."""
        return repr(self.simulator.sampler)

    def batches(
        self, systems: Sequence[MappedTrajectory], *, seed: int, restart: Restart | None
    ) -> Batches:
        """See `Engine`."""
        keep_freed_memory()
        config = self.simulator.config
        widths = [network.n_channels for network in (config.dynamics, config.score) if network]
        most_edges = fitting_edges(self.device, n_channels=max(widths))
        if restart is not None:  # an old one has them all in one
            most_edges = int(restart.settings.get("most_edges", sys.maxsize))
        generator = torch.Generator(self.device).manual_seed(seed)
        batches = Batches(self.simulator, systems, generator=generator, most_edges=most_edges)
        if restart is not None:
            begun = restart.settings.get("messages", "operations")
            if begun != batches.path["messages"]:
                warnings.warn(
                    f"the roll-out was begun with messages by {begun!r} and goes on by "
                    f"{batches.path['messages']!r}, which round otherwise: the rest is another "
                    "sample of the same dynamics",
                    stacklevel=2,
                )
        return batches


@dataclass(frozen=True)
class PropagatorEngine:
    """See `Engine`."""

    propagator: Propagator

    @property
    def timestep(self) -> float:
        """Of a step, ps."""
        return self.propagator.timestep

    @property
    def length_scale(self) -> float:
        """Of the data that it was fitted to, nm."""
        return self.propagator.length_scale

    @property
    def device(self) -> torch.device:
        """The CPU: propagators know arrays of NumPy."""
        return torch.device("cpu")

    def checksum(self) -> int:
        """Of the class, all numbers that were fitted, and scales."""
        own = self.propagator
        arrays = sorted(own.arrays().items())
        numbers = b"".join(name.encode() + value.tobytes() for name, value in arrays)
        scales = (own.history, float(own.timestep), float(own.length_scale))
        return zlib.crc32(numbers + f"{type(own).__name__} {scales}".encode())

    def sampling(self) -> str:
        """See `Engine`."""
        return ""

    def batches(
        self, systems: Sequence[MappedTrajectory], *, seed: int, restart: Restart | None
    ) -> Propagation:
        """See `Engine`."""
        return Propagation(self.propagator, systems, seed=seed)


def engine_of(simulator: Simulator | Propagator) -> Engine:
    """What rolls out one or the other.

    Raises
    ------
    ValueError
        If a propagator has no sensible time step, history or scale, or the device of a simulator
        no double precision.
    """
    if isinstance(simulator, Simulator):
        engine = SimulatorEngine(simulator)
        check_doubles(engine.device.type)
        return engine
    for name in ("timestep", "history", "length_scale"):
        if not getattr(simulator, name) > 0:
            raise ValueError(
                f"{name} of a {type(simulator).__name__} must be positive, got "
                f"{getattr(simulator, name)}"
            )
    return PropagatorEngine(simulator)
