"""cgsim: learn to simulate molecules from molecular dynamics trajectories.

Map atoms to beads, train an equivariant graph neural simulator, and roll it out with steps of
picoseconds to nanoseconds. All names below are imported on first use, so that ``import cgsim`` is
fast.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from cgsim.version import __version__

if TYPE_CHECKING:
    from cgsim.backmapping import backmap
    from cgsim.config import (
        PEPTIDES,
        POLYMERS,
        FinetuningConfig,
        ModelConfig,
        Recipe,
        TrainingConfig,
    )
    from cgsim.evaluate import Ensemble, compare
    from cgsim.evaluate.report.page import write_report
    from cgsim.evaluate.sources import ensembles_of, read_ensembles
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
    from cgsim.mapping.store import load_mapped, map_to_folder, map_trajectory, save_mapped
    from cgsim.mapping.trajectory import MappedTrajectory
    from cgsim.model.checkpoint import (
        load_pretrained,
        load_simulator,
        pretrained_names,
        save_simulator,
    )
    from cgsim.model.simulator import Simulator
    from cgsim.rollout.guidance import tune_guidance
    from cgsim.rollout.simulate import simulate
    from cgsim.rollout.starts import map_structure
    from cgsim.training.finetune import finetune
    from cgsim.training.fit import fit

_HOME = {
    "Ensemble": "evaluate",
    "FinetuningConfig": "config",
    "MappedTrajectory": "mapping.trajectory",
    "ModelConfig": "config",
    "PEPTIDES": "config",
    "POLYMERS": "config",
    "Recipe": "config",
    "Simulator": "model.simulator",
    "TrainingConfig": "config",
    "backmap": "backmapping",
    "build_mapping": "mapping",
    "compare": "evaluate",
    "ensembles_of": "evaluate.sources",
    "finetune": "training.finetune",
    "fit": "training.fit",
    "load_mapped": "mapping.store",
    "load_molecule": "io",
    "load_pretrained": "model.checkpoint",
    "load_simulator": "model.checkpoint",
    "map_atoms": "mapping",
    "map_backbone_sidechain": "mapping",
    "map_calpha": "mapping",
    "map_metis": "mapping",
    "map_residues": "mapping",
    "map_structure": "rollout.starts",
    "map_to_folder": "mapping.store",
    "map_trajectory": "mapping.store",
    "map_user": "mapping",
    "pretrained_names": "model.checkpoint",
    "read_ensembles": "evaluate.sources",
    "tune_guidance": "rollout.guidance",
    "save_mapped": "mapping.store",
    "save_simulator": "model.checkpoint",
    "simulate": "rollout.simulate",
    "write_report": "evaluate.report.page",
}

__all__ = sorted([*_HOME, "__version__"])


def on_first_use(
    package: str, home: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose names are imported when they are used.

    So a command that asks for one light module of a package does not pay for all others.

    Parameters
    ----------
    package
        Its ``__name__``.
    home
        Module inside it, by name.

    Raises
    ------
    ModuleNotFoundError
        Naming the package, where a name needs one that is not installed.
    """

    def get(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f"{package}.{home[name]}"), name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("cgsim"):
                raise
            missing = error.name.partition(".")[0]
            raise ModuleNotFoundError(
                f"{package}.{name} needs the package {missing}, which is not installed here; "
                "`pip install cgsim` brings all that it needs",
                name=missing,
            ) from error

    def names() -> list[str]:
        return list(sys.modules[package].__all__)

    return get, names


__getattr__, __dir__ = on_first_use(__name__, _HOME)
