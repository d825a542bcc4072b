"""Training and rolling out mapped trajectories on a machine with little more than PyTorch."""

import json
import subprocess
import sys

import pytest

from cgsim.mapping.store import save_mapped
from cgsim.testing.systems import random_chain
from tests.absent import without

# What reads atoms, runs MD, searches neighbours, judges and draws.
ABSENT = (
    "mdtraj",
    "openmm",
    "pymetis",
    "vesin",
    "deeptime",
    "PeptideBuilder",
    "Bio",
    "jsonargparse",
    "tensorboard",
    "dask",
    "distributed",
)

WORK = """
import dataclasses, json
from pathlib import Path
import numpy as np
import cgsim
from cgsim.testing.systems import TINY

(chain,) = (cgsim.load_mapped(folder) for folder in HERE.glob("*.cg"))
simulator = cgsim.fit(
    [chain],
    HERE / "model",
    model=TINY,
    training=dict(n_steps=2, n_warmup=1, batch_size=2),
    hardware=dict(accelerator="cpu"),
    trainer=dict(logger="csv", enable_progress_bar=False),
)
simulator = cgsim.load_simulator(HERE / "model" / "simulator.safetensors")
frames = cgsim.simulate(simulator, chain, 3).trajectories[0].pos
cell = np.broadcast_to(2.0 * np.eye(3), (chain.n_frames, 3, 3))
boxed = cgsim.simulate(simulator, dataclasses.replace(chain, cell=cell), 3).trajectories[0].pos
said = {}
for what, call in {
    "files": lambda: cgsim.simulate(simulator, chain, 3, output=HERE / "out"),
    "molecule": lambda: cgsim.load_molecule(HERE / "a.pdb"),
}.items():
    try:
        call()
    except ModuleNotFoundError as error:
        said[what] = str(error)
print(json.dumps(dict(
    shapes=[frames.shape, boxed.shape],
    finite=bool(np.isfinite(frames).all() and np.isfinite(boxed).all()),
    said=said,
    loaded=sorted(ABSENT & sys.modules.keys()),
)))
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict:
    here = tmp_path_factory.mktemp("bare")
    save_mapped(random_chain(20, n_frames=40), here / "chain.cg")
    code = without(ABSENT) + WORK.replace("HERE", f"Path({str(here)!r})")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_trains_and_rolls_out(bare: dict) -> None:
    """Neighbours in a periodic cell included."""
    assert bare["loaded"] == []
    assert bare["shapes"] == [[3, 20, 3]] * 2
    assert bare["finite"]


@pytest.mark.parametrize("what", ["files", "molecule"])
def test_what_needs_a_package_names_it(bare: dict, what: str) -> None:
    assert "mdtraj" in bare["said"][what]
    assert "not installed" in bare["said"][what]
