"""Make the stored checkpoint and its answers: ``python tests/model/stored/make_checkpoint.py``.

Run it when the format version rises, and keep the files of the version before beside the new ones:
checkpoints of every version must load and answer as they did.
"""

import json
from pathlib import Path

import numpy as np
import torch

from cgsim.config import (
    DynamicsConfig,
    EmbeddingConfig,
    GraphConfig,
    ModelConfig,
    SamplerConfig,
    ScoreConfig,
    TrainingConfig,
)
from cgsim.data.graphs import CGData
from cgsim.data.scales import Scales
from cgsim.data.windows import WindowDataset
from cgsim.io.records import to_dict
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import FORMAT_VERSION, Provenance, save_simulator
from cgsim.model.simulator import Simulator
from cgsim.testing.checks import outputs
from cgsim.testing.systems import perturb_parameters

HERE = Path(__file__).parent

# Every value is spelled out: defaults may change, this file must not.
CONFIG = ModelConfig(
    history=2,
    embedding=EmbeddingConfig(n_channels=4, n_layers=2),
    graph=GraphConfig(n_hops=2, cutoff=2.5, n_radial=4, ideal_distance=True, n_pair=3),
    dynamics=DynamicsConfig(n_channels=4, n_layers=2, lmax=1, noise="correlated"),
    score=ScoreConfig(n_channels=4, n_layers=1),
    sampler=SamplerConfig(n_evaluations=2, sigma_max=1.5, reject_beyond=6.0),
)
STATISTICS = Scales(
    timestep=10.0,
    frame_interval=5.0,
    length_scale=0.3,
    step_scale=0.05,
    mass_scale=24.0,
    chiral=True,
)


def window() -> CGData:
    """One window of a bent chain of four beads; no random numbers."""
    angle = np.arange(4) * 0.9
    shape = np.stack([0.3 * np.arange(4), 0.2 * np.sin(angle), 0.2 * np.cos(angle)], axis=1)
    frames = [shape + 0.04 * np.sin(t + np.arange(12).reshape(4, 3)) for t in range(5)]
    chain = MappedTrajectory(
        name="bent",
        atom_type=("C", "H", "C", "O", "C"),
        atom_bonds=np.array([[0, 0, 2, 3], [1, 2, 3, 4]]),
        bead_index=np.array([0, 0, 1, 2, 3]),
        bead_name=tuple((f"R{i}", "B") for i in range(4)),
        bead_mass=np.array([13.0, 12.0, 16.0, 12.0]),
        edge_index=np.array([[0, 1, 2], [1, 2, 3]]),
        pos=np.array(frames),
        frame_interval=5.0,
        recipe={},
        chirality=np.array([1, 0, -1, 1]),
    )
    dataset = WindowDataset(
        [chain], atom_types=("C", "H", "O"), history=2, stride=2, n_hops=2, n_bonds=3
    )
    return dataset[0]


def answers(simulator: Simulator) -> dict[str, list[float]]:
    """What the simulator says of the window, and where two steps from it lead."""
    batch = window()
    residual = torch.sin(torch.arange(12.0)).view(4, 3)
    said = {
        key: value.flatten().tolist() for key, value in outputs(simulator, batch, residual).items()
    }
    state = simulator.start(batch, torch.Generator().manual_seed(0))
    said["pos"] = simulator.step(simulator.step(state)).pos.flatten().tolist()
    return said


def main() -> None:
    """Write ``checkpoint-v<version>.safetensors`` and ``.json``."""
    simulator = Simulator(CONFIG, atom_types=("C", "H", "O"), scales=STATISTICS)
    with torch.no_grad():
        for parameter in simulator.parameters():
            parameter.zero_()
    perturb_parameters(simulator, scale=0.5, seed=1)
    provenance = Provenance(
        recipe={"method": "metis", "atoms_per_bead": 2},
        training=to_dict(TrainingConfig(stride=2)),
        data={"trajectories": [{"name": "bent", "n_frames": 5}]},
    )
    path = HERE / f"checkpoint-v{FORMAT_VERSION}.safetensors"
    save_simulator(simulator, path, provenance=provenance)
    path.with_suffix(".json").write_text(json.dumps(answers(simulator.eval()), indent=1) + "\n")


if __name__ == "__main__":
    main()
