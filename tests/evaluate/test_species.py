"""Systems of several molecules: kinds of molecules, each with all of its kind as samples."""

from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.evaluate import Ensemble, Scoring, compare
from cgsim.evaluate.scores.halves import halved
from cgsim.evaluate.sources import ensembles_of
from cgsim.evaluate.species import Box, parts_of, split
from cgsim.io import write_psf
from cgsim.testing.exact import rouse_chain
from cgsim.testing.systems import random_chain

CELL = 5.0
QUICK = Scoring(n_bootstrap=20)


def chains(seed: int, n_chains: int, *, n_beads: int = 5, n_frames: int = 300) -> list[np.ndarray]:
    """Independent Rouse chains somewhere in a cell."""
    random = np.random.default_rng(seed)
    chain = rouse_chain(n_beads)
    return [
        0.3 * chain.frames(n_frames, 1.0, random) + random.uniform(0, CELL, 3)
        for _ in range(n_chains)
    ]


def system(
    molecules: list[np.ndarray], *, masses: list[float] | None = None, name: str = "box"
) -> Ensemble:
    """Molecules, linear ones, in a cubic cell."""
    edges, mass, first = [], [], 0
    for index, own in enumerate(molecules):
        n = own.shape[1]
        edges.append(first + np.stack([np.arange(n - 1), np.arange(1, n)]))
        mass += [1.0 if masses is None else masses[index]] * n
        first += n
    xyz = np.concatenate(molecules, axis=1)
    cells = np.broadcast_to(CELL * np.eye(3), (len(xyz), 3, 3))
    bonds = np.concatenate(edges, axis=1)
    return Ensemble(name, (xyz,), 1.0, np.array(mass), bonds, cells=(cells,))


def test_one_molecule_is_itself() -> None:
    (alone,) = ensembles_of([random_chain(6)])
    assert split(alone) == [alone]


def test_kinds_are_told_by_masses_and_bonds() -> None:
    ions = [own[:, :1] for own in chains(3, 4)]
    found = parts_of(
        [system([*chains(0, 3), *chains(1, 2, n_beads=4), *ions], masses=[1.0] * 5 + [2.0] * 4)]
    )
    assert [own.name for own in found] == [
        "box: 3 × 5 beads",
        "box: 2 × 4 beads",
        "box: between molecules",  # ions have neither size nor bonds
    ]
    assert [own.n_replicas for own in found] == [3, 2, 1]
    assert isinstance(found[-1], Box)
    heavy = parts_of([system(chains(0, 2), masses=[1.0, 5.0])])
    assert [own.name for own in heavy[:2]] == ["box: 1 × 5 beads, A", "box: 1 × 5 beads, B"]


def test_chains_in_a_cell_are_scored_as_the_same_chains_apart() -> None:
    first, second = chains(0, 6), chains(1, 6)
    boxed = compare([system(first)], [system(second)], scoring=QUICK).learned.molecules[0]
    bonds = np.stack([np.arange(4), np.arange(1, 5)])
    apart = [Ensemble("a", tuple(own), 1.0, np.ones(5), bonds) for own in (first, second)]
    alone = compare([apart[0]], [apart[1]], scoring=QUICK).learned.molecules[0]
    for score in ("rg", "js_rg", "js_bond", "js_pair", "relaxation", "rmse_contact"):
        assert boxed[score].value == pytest.approx(alone[score].value, rel=1e-6, nan_ok=True)


def test_nothing_is_said_of_the_size_of_the_box() -> None:
    made = compare([system(chains(0, 4))], [system(chains(1, 4))], scoring=QUICK)
    box = made.learned.molecules[-1]
    assert box.name.endswith("between molecules")
    assert not {"rg", "relaxation", "js_pair"} & set(box.scores)
    # What is of molecules has the error of the one kind that has it, not of a spread of one.
    assert made.learned.summary["js_rg"].error == made.learned.molecules[0]["js_rg"].error
    assert made.learned.summary["n_unresolved"].value <= 1


def test_water_of_one_bead_is_judged_between_molecules_alone() -> None:
    waters = [own[:, :1] for own in chains(0, 30, n_beads=2)]
    (only,) = parts_of([system(waters)])
    assert isinstance(only, Box)
    made = compare([system(waters)], [system(waters)], scoring=QUICK)
    assert [own.name for own in made.learned.molecules] == ["box: between molecules"]
    assert made.learned.summary["js_between"].value == 0.0


def test_halves_of_a_box_keep_their_cells() -> None:
    halves = halved(system(chains(0, 3)))
    assert halves is not None
    for half in halves:
        assert half.cells is not None
        assert half.cells[0].shape == (150, 3, 3)


def test_cells_of_files_are_read(tmp_path: Path) -> None:
    whole = system(chains(0, 3))
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for bead in range(whole.n_beads):
        residue = topology.add_residue("BEA", chain, resSeq=bead + 1)
        topology.add_atom("CG", mdtraj.core.element.virtual, residue)
    names = [("S", "BEA", "CG")] * whole.n_beads
    write_psf(
        tmp_path / "box.psf", names=names, masses=whole.bead_mass, bond_index=whole.edge_index
    )
    times, lengths = np.arange(300.0), np.full((300, 3), CELL)
    mdtraj.Trajectory(whole.xyz[0], topology, times, lengths, np.full((300, 3), 90.0)).save(
        str(tmp_path / "box-r0.xtc")
    )
    read = Ensemble.from_files([tmp_path / "box-r0.xtc"], tmp_path / "box.psf")
    assert read.cells is not None
    np.testing.assert_allclose(read.cells[0], CELL * np.eye(3) * np.ones((300, 1, 1)), rtol=1e-5)
    assert read.drift is None


def test_beside_must_fit() -> None:
    whole = system(chains(0, 2))
    with pytest.raises(ValueError, match=r"box: cells must have one array \[n_frames, 3, 3\]"):
        Ensemble("box", whole.xyz, 1.0, whole.bead_mass, whole.edge_index, cells=(np.eye(3)[None],))
