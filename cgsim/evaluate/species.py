"""Systems of several molecules, judged kind by kind and by what is between them.

Equal molecules are replicas of one molecule: what is said of a chain, its size and its clock, is
said of one chain, with all of them as samples. What is between molecules is judged apart, by
minimum image.
"""

import string
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cgsim.evaluate.ensemble import Ensemble

BETWEEN = "between molecules"
"""What the row of a `Box` is called, after the name of its system."""


@dataclass(frozen=True, repr=False)
class Box(Ensemble):
    """All molecules of a system: only what is between them is looked at."""

    @property
    def component(self) -> np.ndarray:
        """Molecule of each bead [n_beads]."""
        return molecule_of(self)

    @property
    def images(self) -> tuple[np.ndarray, ...]:
        """Positions in the cell of their frame, or images of these, [n_frames, n_beads, 3] nm."""
        if self.drift is None:
            return self.xyz
        return tuple(xyz - drift for xyz, drift in zip(self.xyz, self.drift, strict=True))


def molecule_of(ensemble: Ensemble) -> np.ndarray:
    """Bonded component of each bead [n_beads]."""
    n, bonds = ensemble.n_beads, ensemble.edge_index
    graph = coo_array((np.ones(bonds.shape[1]), tuple(bonds)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1])


def parts_of(ensembles: Iterable[Ensemble]) -> list[Ensemble]:
    """What is judged of some ensembles: one molecule is itself, of several see `split`."""
    return [part for ensemble in ensembles for part in split(ensemble)]


def split(ensemble: Ensemble) -> list[Ensemble]:
    """One ensemble per kind of molecule with more than one bead, and the `Box` of all.

    Molecules are of one kind if their beads have the same masses and bonds in the same order; each
    molecule of each replica is a replica of its kind.
    """
    component = molecule_of(ensemble)
    if component.max() == 0 or isinstance(ensemble, Box):
        return [ensemble]
    kinds: dict[tuple[bytes, bytes], list[np.ndarray]] = {}
    for number in dict.fromkeys(component.tolist()):
        beads = np.flatnonzero(component == number)
        bonds = np.searchsorted(beads, _bonds_of(ensemble, beads))
        mass = ensemble.bead_mass[beads].round(3)
        kinds.setdefault((mass.tobytes(), bonds.tobytes()), []).append(beads)
    names = _labels([(len(own[0]), len(own)) for own in kinds.values()])
    found = [
        _kind(ensemble, molecules, f"{ensemble.name}: {label}")
        for label, molecules in zip(names, kinds.values(), strict=True)
        if len(molecules[0]) > 1
    ]
    fields = {name: getattr(ensemble, name) for name in ensemble.__dataclass_fields__}
    return [*found, Box(**fields | {"name": f"{ensemble.name}: {BETWEEN}"})]


def _bonds_of(ensemble: Ensemble, beads: np.ndarray) -> np.ndarray:
    return ensemble.edge_index[:, np.isin(ensemble.edge_index[0], beads)]


def _labels(sizes: list[tuple[int, int]]) -> list[str]:
    """Beads of a molecule and how many there are, with a letter where that is the same of two."""
    texts = [f"{n_molecules} × {n_beads} beads" for n_beads, n_molecules in sizes]
    return [
        text if texts.count(text) == 1 else f"{text}, {string.ascii_uppercase[index % 26]}"
        for index, text in enumerate(texts)
    ]


def _kind(ensemble: Ensemble, molecules: list[np.ndarray], name: str) -> Ensemble:
    first = molecules[0]
    return replace(
        ensemble,
        name=name,
        xyz=tuple(xyz[:, beads] for xyz in ensemble.xyz for beads in molecules),
        bead_mass=ensemble.bead_mass[first],
        edge_index=np.searchsorted(first, _bonds_of(ensemble, first)),
        origin=replace(ensemble.origin, stops=()),  # those of the box
        cells=None,
        drift=None,
    )
