"""The script for SLURM, as SLURM runs it: two tasks, here on one CPU each."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from cgsim.mapping.store import save_mapped
from cgsim.model.checkpoint import load_simulator
from cgsim.testing.systems import random_chain

SCRIPT = Path(__file__).parents[2] / "examples" / "slurm_train.sh"

# What `srun` does: the same command for every task, which learns its number from its environment.
SRUN = """#!{python}
import os, subprocess, sys
tasks = [
    subprocess.Popen(
        sys.argv[1:],
        env=os.environ | {{
            "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0",
        }},
    )
    for rank in range(int(os.environ["SLURM_NTASKS"]))
]
sys.exit(max(task.wait() for task in tasks))
"""

# The command line, which notes who takes part.
CGSIM = """#!{python}
from pathlib import Path
from lightning.pytorch.strategies import DDPStrategy
from cgsim.cli import main

before = DDPStrategy.setup_environment

def noted(self):
    before(self)
    Path({here!r}, f"task-{{self.global_rank}}").write_text(str(self.world_size))

DDPStrategy.setup_environment = noted
main()
"""

OPTIONS = """
--hardware.accelerator cpu --training.n_steps 2 --training.n_warmup 1 --training.batch_size 2
--model.embedding.n_channels 4 --model.dynamics.n_channels 4 --model.dynamics.n_layers 1
--model.score null
"""


def test_two_tasks_train_one_simulator(tmp_path: Path) -> None:
    save_mapped(random_chain(6, n_frames=40), tmp_path / "mapped" / "chain.cg")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"srun": SRUN, "cgsim": CGSIM}.items():
        (programs / name).write_text(text.format(python=sys.executable, here=str(tmp_path)))
        (programs / name).chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = {
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "cgsim-train",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODELIST": "127.0.0.1",
        "MASTER_PORT": str(port),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    folders = [str(tmp_path / "mapped"), str(tmp_path / "model")]
    done = subprocess.run(
        ["bash", str(SCRIPT), *folders, *OPTIONS.split()],
        env=os.environ | job,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path.name: path.read_text() for path in tmp_path.glob("task-*")} == {
        "task-0": "2",
        "task-1": "2",
    }
    assert load_simulator(tmp_path / "model" / "simulator.safetensors").config.score is None
