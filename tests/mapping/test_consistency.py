"""Mapped folders whose files were damaged are refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest

from cgsim.mapping.store import load_mapped, save_mapped
from cgsim.testing.systems import random_chain

DAMAGE = {
    "bead_index": lambda header: header["bead_index"][:-1],
    "bead_mass": lambda header: [-1.0, *header["bead_mass"][1:]],
    "bead_name": lambda header: header["bead_name"][:-1],
    "frame_interval": lambda header: -2.0,
    "edge_index": lambda header: [[0], [len(header["bead_mass"])]],
    "atom_bonds": lambda header: [[-1], [0]],
}


@pytest.mark.parametrize("field", DAMAGE)
def test_headers_that_contradict_themselves(tmp_path: Path, field: str) -> None:
    folder = save_mapped(random_chain(), tmp_path / "chain.cg")
    path = folder / "system.json"
    header = json.loads(path.read_text())
    path.write_text(json.dumps(header | {field: DAMAGE[field](header)}))
    with pytest.raises(ValueError, match=f"system.json: .*{field}"):
        load_mapped(folder)


def test_positions_that_are_no_numbers(tmp_path: Path) -> None:
    folder = save_mapped(random_chain(), tmp_path / "chain.cg")
    pos = np.load(folder / "pos.npy")
    pos[3, 1, 2] = np.nan
    np.save(folder / "pos.npy", pos)
    with pytest.raises(ValueError, match=r"pos.npy: not finite"):
        load_mapped(folder)
