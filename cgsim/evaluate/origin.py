"""Where an ensemble comes from: what is known of its atoms, mapping, conditions and end."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgsim.mapping.bead_mapping import plain_type


@dataclass(frozen=True)
class Stop:
    """A replica that its roll-out stopped.

    Attributes
    ----------
    replica
        Number of the replica in its roll-out.
    step
        First bad step, counted from 1.
    reason
        What was seen.
    """

    replica: int
    step: int
    reason: str


@dataclass(frozen=True, eq=False)
class Origin:
    """What is known of where an ensemble comes from; None is not known.

    Attributes
    ----------
    atoms
        How many atoms of each type.
    recipe
        Of the mapping (see `cgsim.mapping.build_mapping`).
    temperature
        K.
    periodic
        Whether the molecule is in a periodic cell.
    cell : [3, 3]
        Its mean, rows are vectors, nm.
    stops
        Replicas that did not reach the end.
    """

    atoms: Mapping[str, int] | None = None
    recipe: dict[str, Any] | None = None
    temperature: float | None = None
    periodic: bool | None = None
    cell: np.ndarray | None = None
    stops: tuple[Stop, ...] = ()


def count_atoms(atom_type: Iterable[str]) -> dict[str, int]:
    """How many atoms of each type, whatever bead they are in."""
    return dict(sorted(Counter(map(plain_type, atom_type)).items()))
