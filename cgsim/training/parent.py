"""The simulator that a fine-tuning starts from, and the data that fit it."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cgsim.config import TrainingConfig
from cgsim.data.scales import is_chiral, measure, shared_frame_interval
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import (
    find_checkpoint,
    load_provenance,
    load_simulator,
    temperature_of,
)
from cgsim.model.simulator import Simulator
from cgsim.training.run import check_alike, is_same_recipe

LARGEST_STEP_RATIO = 2.0  # beyond it units or frame interval are wrong more often than not


@dataclass(frozen=True)
class Parent:
    """A simulator and where it comes from.

    Attributes
    ----------
    simulator
        As it was before.
    about
        What its descendants say of it: name of the file, SHA-256 of the weights and provenance of
        the data; file and data are unknown of a simulator that is given loaded.
    history_noise
        Largest noise on past frames that it was trained with (see `TrainingConfig`); the default
        where that is unknown.
    """

    simulator: Simulator
    about: dict[str, Any]
    history_noise: float = TrainingConfig.history_noise

    @classmethod
    def load(cls, simulator: Simulator | str | Path) -> "Parent":
        """Read a simulator from a file, or by the name of a packaged one.

        Raises
        ------
        FileNotFoundError, ValueError
            As `cgsim.load_simulator`.
        """
        if isinstance(simulator, Simulator):
            return cls(simulator, {"file": None, "weights": _digest(simulator), "data": {}})
        file = find_checkpoint(simulator)
        loaded, provenance = load_simulator(file), load_provenance(file)
        about = {"file": file.name, "weights": _digest(loaded), "data": provenance.data}
        noise = provenance.training.get("history_noise", TrainingConfig.history_noise)
        return cls(loaded, about, noise)

    @property
    def temperature(self) -> float | None:
        """Of its data, K, where it is known."""
        return temperature_of(self.about["data"])

    def check(self, trajectories: Sequence[MappedTrajectory]) -> None:
        """Check that trajectories are alike, mapped as the simulator's were and in time with it.

        Raises
        ------
        ValueError
            If they are not.
        """
        check_alike(trajectories)
        self.simulator.scales.stride_at(shared_frame_interval(trajectories))
        first, recipe = trajectories[0], self.simulator.recipe
        if recipe is not None and not is_same_recipe(first.recipe, recipe):
            raise ValueError(
                f"{first.name} was mapped by {first.recipe}, the data of the simulator by "
                f"{recipe}: map the trajectories by the recipe of the simulator"
            )

    def compare(self, trajectories: Sequence[MappedTrajectory]) -> None:
        """Warn of data that are unlike the simulator's: temperature, step scale, handedness."""
        for message in filter(
            None, (self._heat(trajectories), self._pace(trajectories), self._hands(trajectories))
        ):
            warnings.warn(message, stacklevel=3)

    def _heat(self, trajectories: Sequence[MappedTrajectory]) -> str | None:
        known = [each.temperature for each in trajectories if each.temperature is not None]
        if self.temperature is None or not known or np.isclose(known[0], self.temperature, 1e-2):
            return None
        return (
            f"the simulator was trained at {self.temperature:g} K, the new trajectories are at "
            f"{known[0]:g} K: it becomes a simulator of {known[0]:g} K"
        )

    def _pace(self, trajectories: Sequence[MappedTrajectory]) -> str | None:
        scales = self.simulator.scales
        stride = scales.stride_at(shared_frame_interval(trajectories))
        ratio = measure(trajectories, stride=stride).step_scale / scales.step_scale
        if 1 / LARGEST_STEP_RATIO <= ratio <= LARGEST_STEP_RATIO:
            return None
        return (
            f"beads of the new trajectories move {ratio:.2g} times as far in a step as those the "
            "simulator was trained on: check units, frame interval and mapping"
        )

    def _hands(self, trajectories: Sequence[MappedTrajectory]) -> str | None:
        if self.simulator.scales.chiral or not any(map(is_chiral, trajectories)):
            return None
        return (
            "the new trajectories have beads with a handedness, of which the simulator knows "
            "nothing: it goes on to treat mirror images alike"
        )


def with_atom_types(simulator: Simulator, atom_types: Sequence[str]) -> Simulator:
    """A copy that knows more atom types: each new one begins as the mean of the known ones.

    That is an atom of which nothing is known but that it is one of these; a row of random numbers
    would be unlike all that the networks have seen.

    Raises
    ------
    ValueError
        If there are new types and the simulator does not embed each type in a row of its own.
    """
    known = simulator.atom_types
    types = (*known, *sorted(set(atom_types) - set(known)))
    other = Simulator(simulator.config, atom_types=types, scales=simulator.scales)
    other.to(simulator.dtype)
    other.recipe, other.temperature = simulator.recipe, simulator.temperature
    other.references = simulator.references
    old = dict(simulator.named_parameters())
    with torch.no_grad():
        for name, value in other.named_parameters():
            n_new = len(value) - len(old[name]) if value.dim() else 0
            if value.shape[1:] != old[name].shape[1:] or n_new not in (0, len(types) - len(known)):
                raise ValueError(
                    f"a {type(simulator.embedding).__name__} cannot learn new atom types "
                    f"({', '.join(types[len(known) :])}): train one anew"
                )
            # Known by their shapes, so that a network of the user needs no hook for it: whatever
            # has a row for each atom type has grown by as many rows as there are new types.
            mean = old[name].mean(dim=0, keepdim=True)
            value.copy_(torch.cat([old[name], *[mean] * n_new]) if n_new else old[name])
    return other.train(simulator.training)


def _digest(simulator: Simulator) -> str:
    """SHA-256 of all weights."""
    digest = hashlib.sha256()
    for name, value in sorted(simulator.named_parameters()):
        digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
