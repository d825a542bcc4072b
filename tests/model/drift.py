"""A propagator as a user would write it, for the tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from cgsim.model.propagator import Propagator


@dataclass(frozen=True)
class Drift(Propagator):
    """All beads move on by the same vector."""

    velocity: np.ndarray
    timestep: float = 1.0
    history: int = 1

    def step(self, history: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return history[:, :, -1] + self.velocity

    def arrays(self) -> dict[str, np.ndarray]:
        return {"velocity": self.velocity}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], *, timestep: float, length_scale: float
    ) -> Self:
        return cls(arrays["velocity"], timestep)
