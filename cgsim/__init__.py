"""cgsim: learn to simulate molecules from molecular dynamics trajectories.

Map atoms to beads, train an equivariant graph neural simulator, and roll it out with steps of
picoseconds to nanoseconds. All names below are imported on first use, so that ``import cgsim`` is
fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from cgsim.version import __version__

if TYPE_CHECKING:
    from cgsim.backmapping import backmap
    from cgsim.checkpoint import load_simulator, save_simulator
    from cgsim.config import FinetuningConfig, ModelConfig, TrainingConfig
    from cgsim.data import MappedTrajectory
    from cgsim.ensembles import ensembles_of, read_ensembles
    from cgsim.evaluate import Ensemble, compare
    from cgsim.evaluate.report import write_report
    from cgsim.finetuning import finetune
    from cgsim.guidance import read_guidance
    from cgsim.io import load_molecule
    from cgsim.mapping import (
        build_mapping,
        map_atoms,
        map_backbone_sidechain,
        map_calpha,
        map_metis,
        map_residues,
        map_user,
    )
    from cgsim.pretrained import load_pretrained, pretrained_names
    from cgsim.rollout import simulate
    from cgsim.simulator import Simulator
    from cgsim.starts import map_structure
    from cgsim.store import load_mapped, map_to_folder, map_trajectory, save_mapped
    from cgsim.training import fit

_HOME = {
    "Ensemble": "evaluate",
    "FinetuningConfig": "config",
    "MappedTrajectory": "data",
    "ModelConfig": "config",
    "Simulator": "simulator",
    "TrainingConfig": "config",
    "backmap": "backmapping",
    "build_mapping": "mapping",
    "compare": "evaluate",
    "ensembles_of": "ensembles",
    "finetune": "finetuning",
    "fit": "training",
    "load_mapped": "store",
    "load_molecule": "io",
    "load_pretrained": "pretrained",
    "load_simulator": "checkpoint",
    "map_atoms": "mapping",
    "map_backbone_sidechain": "mapping",
    "map_calpha": "mapping",
    "map_metis": "mapping",
    "map_residues": "mapping",
    "map_structure": "starts",
    "map_to_folder": "store",
    "map_trajectory": "store",
    "map_user": "mapping",
    "pretrained_names": "pretrained",
    "read_ensembles": "ensembles",
    "read_guidance": "guidance",
    "save_mapped": "store",
    "save_simulator": "checkpoint",
    "simulate": "rollout",
    "write_report": "evaluate.report",
}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'cgsim' has no attribute {name!r}")
    return getattr(import_module(f"cgsim.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
