"""Make the stored answers of the packaged simulators, or compare with them.

``python tests/model/stored/make_pretrained.py`` writes ``pretrained-NAME.json`` of every packaged
simulator that has none. A file holds a system, its frames and what the simulator says of them; it
is made once, of the code that the weights were published with, and stays as it is: weights mean
what the code around them makes of them.

``python tests/model/stored/make_pretrained.py --compare`` tells how far the answers of the code as
it is are from the stored ones, down to the last bit: what may not change results should change
none on the machine that made them.

Only the public interface is used, so that the files survive any change inside the package.
"""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

import cgsim

HERE = Path(__file__).parent
DTYPES = {"float32": torch.float32, "float64": torch.float64}
N_FRAMES = 6
N_STEPS = 4  # of a roll-out
N_REPLICAS = 2

Answers = dict[str, list[float]]


def file_of(name: str) -> Path:
    """Where the system and the answers of a packaged simulator are."""
    return HERE / f"pretrained-{name}.json"


def system_of(stored: dict[str, Any]) -> cgsim.MappedTrajectory:
    """The system as it is in the file."""
    fields = dict(stored["system"])
    for name in ("atom_bonds", "bead_index", "bead_mass", "edge_index", "pos"):
        fields[name] = np.array(fields[name])
    for name in ("atom_type", "bead_name"):
        fields[name] = tuple(tuple(e) if isinstance(e, list) else e for e in fields[name])
    if fields.get("chirality") is not None:
        fields["chirality"] = np.array(fields["chirality"])
    return cgsim.MappedTrajectory(**fields)


def answers(name: str, system: cgsim.MappedTrajectory, dtype: torch.dtype) -> Answers:
    """What a packaged simulator says of a system, and where steps from it lead."""
    simulator = cgsim.load_pretrained(name).to(dtype)
    windows = simulator.windows([system])
    said: Answers = {}
    with torch.no_grad():
        prediction = simulator.predict(windows[list(range(len(windows)))])
        said["mean acceleration"] = numbers(prediction.acceleration.mean)
        losses = [
            simulator.loss(windows[[i]], generator=torch.Generator().manual_seed(seed))
            for i in range(len(windows))
            for seed in range(3)  # every seed is another noise level of the denoiser
        ]
    for key in ("nll", "score"):
        said[key] = [float(each[key]) for each in losses]
    rollout = cgsim.simulate(simulator, system, N_STEPS, n_replicas=N_REPLICAS, seed=7)
    said["pos"] = [number for made in rollout.trajectories for number in numbers(made.pos)]
    return said


def numbers(values: Any) -> list[float]:
    """All of them in a row; each is written so that reading it gives the same bits."""
    return [float(value) for value in np.asarray(values).ravel()]


def new_system(name: str) -> cgsim.MappedTrajectory:
    """Some frames of a molecule that the simulator never saw, from its own roll-out."""
    from cgsim.md import build_peptide, sample_chains, write_chain

    simulator = cgsim.load_pretrained(name)
    with tempfile.TemporaryDirectory() as folder:
        if name == "peptides":
            structure = Path(folder) / "VGS.pdb"
            build_peptide("VGS", name="VGS").to_mdtraj().save_pdb(str(structure))
        else:
            (chain,) = sample_chains("II", size="mini", n_chains=1, seed=5)
            structure = write_chain(chain, Path(folder))
        start = cgsim.map_structure(structure, simulator)
    (made,) = cgsim.simulate(simulator, start, 20 + N_FRAMES).trajectories
    fields = asdict(made)
    fields["pos"] = np.round(np.asarray(made.pos[-N_FRAMES:], dtype=float), 4)
    return cgsim.MappedTrajectory(**fields)


def compared(name: str) -> list[str]:
    """One line for every kind of answer: how far it is from the stored one."""
    stored = json.loads(file_of(name).read_text(encoding="utf-8"))
    system = system_of(stored)
    lines = []
    for dtype, expected in stored["answers"].items():
        for key, found in answers(name, system, DTYPES[dtype]).items():
            difference = np.abs(np.subtract(found, expected[key]))
            lines.append(
                f"{name} {dtype} {key}: {np.count_nonzero(difference)} of {len(found)} numbers "
                f"differ, largest difference {difference.max():.3g}"
            )
    return lines


def made(name: str) -> dict[str, Any]:
    """The contents of a new file."""
    fields = asdict(new_system(name))
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in fields.items()}
    stored: dict[str, Any] = {"system": plain}
    system = system_of(stored)
    stored["answers"] = {key: answers(name, system, dtype) for key, dtype in DTYPES.items()}
    return stored


def main() -> None:
    """Write what is missing, or compare."""
    torch.set_num_threads(1)  # sums in another order are other bits
    for name in cgsim.pretrained_names():
        if "--compare" in sys.argv[1:]:
            print(*compared(name), sep="\n")
        elif not file_of(name).exists():
            file_of(name).write_text(json.dumps(made(name)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
