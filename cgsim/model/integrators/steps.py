"""STEPS: from a displacement to the next positions."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor

from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.score.whitening import NoWhitening, Whitening
from cgsim.nn.graph.neighbours import BeadGraph


class Steps(ABC):
    """What a displacement means at the current frame, and how it is undone.

    Attributes
    ----------
    whitening
        In what units a score network sees residuals of such steps.
    """

    whitening: ClassVar[type[Whitening]]

    @classmethod
    @abstractmethod
    def at(cls, pos: Tensor, graph: BeadGraph) -> Self:
        """Steps from the current frame [n, 3], nm."""

    @classmethod
    @abstractmethod
    def check(cls, trajectory: MappedTrajectory) -> None:
        """Raise a ValueError if these steps cannot be those of a molecule."""

    @abstractmethod
    def exp_map(self, target_pos: Tensor) -> Tensor:
        """Where a step ends [n, 3], nm; its target is the current frame plus the displacement."""

    @abstractmethod
    def log_map(self, end: Tensor) -> Tensor:
        """The target of the step that ends there [n, 3], nm: the inverse of `exp_map`."""

    @abstractmethod
    def transport(self, vectors: Tensor, end: Tensor) -> Tensor:
        """Displacements [n, 3, n_vectors] from the current frame as they are seen at the end."""

    @abstractmethod
    def transport_back(self, vectors: Tensor, end: Tensor) -> Tensor:
        """The inverse of `transport`."""


@dataclass(frozen=True)
class Straight(Steps):
    """Beads go where their displacement points."""

    whitening = NoWhitening

    @classmethod
    def at(cls, pos: Tensor, graph: BeadGraph) -> Self:
        """See `Steps`."""
        return cls()

    @classmethod
    def check(cls, trajectory: MappedTrajectory) -> None:
        """See `Steps`: every molecule can take them."""

    def exp_map(self, target_pos: Tensor) -> Tensor:
        """See `Steps`."""
        return target_pos

    def log_map(self, end: Tensor) -> Tensor:
        """See `Steps`."""
        return end

    def transport(self, vectors: Tensor, end: Tensor) -> Tensor:
        """See `Steps`."""
        return vectors

    def transport_back(self, vectors: Tensor, end: Tensor) -> Tensor:
        """See `Steps`."""
        return vectors
