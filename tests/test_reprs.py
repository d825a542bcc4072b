"""What the objects that users hold say of themselves, in ten lines."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import cgsim
from cgsim.io import molecule_from_topology
from cgsim.io.display import MAX_LINES, MAX_WIDTH
from cgsim.md import build_peptide
from cgsim.rollout.simulate import Failure, Rollout
from cgsim.testing.systems import random_chain, random_simulator

CHAIN = random_chain(6, n_frames=500)
MOLECULE = molecule_from_topology(build_peptide("AG").to_mdtraj().topology, name="AG")
N_ATOMS = MOLECULE.n_atoms


def simulator() -> Any:
    own = random_simulator([CHAIN])
    own.recipe = {"method": "calpha", "rigid_motion": False}
    return own


def rollout(**changed: Any) -> Rollout:
    own = Rollout([], [], failures=[], seconds=2.0, n_steps=1200)
    return replace(own, **changed)


def comparison() -> Any:
    (reference,) = cgsim.ensembles_of([CHAIN])
    (learned,) = cgsim.ensembles_of([random_chain(6, n_frames=400)])
    return cgsim.compare([reference], [learned], yardsticks={"floor": [reference]})


FAILURES = [Failure("AG", replica, 30 + replica, "a bond broke") for replica in range(40)]
SHOWN = {
    "molecule": (MOLECULE, ["Molecule 'AG'", f"atoms {N_ATOMS} (C", "ACE, ALA, GLY, NME", " Da"]),
    "mapping": (
        cgsim.map_metis(MOLECULE, atoms_per_bead=8).without_rigid_motion(),
        ["metis (atoms_per_bead 8), without rigid motion", f"of {N_ATOMS} atoms"],
    ),
    "user mapping": (cgsim.map_user(MOLECULE, [list(range(N_ATOMS))]), ["user", "beads 1"]),
    "trajectory": (
        replace(CHAIN, temperature=300.0, chirality=np.array([1, 0, -1, 0, 0, 0])),
        [
            "MappedTrajectory 'chain'",
            "beads 6 of",
            "500, one every 2 ps (1 ns)",
            "300 K",
            "2 beads",
        ],
    ),
    "simulator": (
        simulator(),
        [
            "time step 2 ps",
            "correlated noise",
            "calpha, without rigid motion",
            "A, B, C",
            "cpu, float32",
        ],
    ),
    "rollout in memory": (
        rollout(trajectories=[CHAIN, CHAIN]),
        ["steps 1,200", "2 s", "trajectories 2", "molecules chain", "(1 ns)", "failures none"],
    ),
    "rollout in files": (
        rollout(files=[Path("out/AG-r0.xtc")], failures=FAILURES),
        ["AG-r0.xtc", "folder out", "failures 40: AG-r0 at step 30", "37 more"],
    ),
    "comparison": (comparison(), ["learned", "js_rg", "second MD run", "mape_rg 0 %"]),
    "ensemble": (cgsim.ensembles_of([CHAIN])[0], ["Ensemble 'chain'", "replicas 1", "(1 ns)"]),
}


@pytest.mark.parametrize("name", SHOWN)
def test_ten_lines_say_what_a_user_wants_to_know(name: str) -> None:
    thing, expected = SHOWN[name]
    lines = repr(thing).split("\n")
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= MAX_WIDTH
    for words in expected:
        assert words in " ".join(repr(thing).split())


@pytest.mark.parametrize("name", SHOWN)
def test_notebooks_show_the_same(name: str) -> None:
    thing, _ = SHOWN[name]
    table = ElementTree.fromstring(thing._repr_html_())
    labels = [cell.text for cell in table.iter("th")]
    assert labels == [line[2:].split("  ")[0] for line in repr(thing).split("\n")[1:]]


def test_the_parameters_and_the_type_of_a_simulator() -> None:
    own = simulator().double()
    assert "float64" in repr(own)
    assert f"{sum(weights.numel() for weights in own.parameters()):,}" in repr(own)
