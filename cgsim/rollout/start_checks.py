"""Whether the starts of a roll-out are of what its simulator was trained on."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from cgsim.mapping.bead_mapping import recipe_difference
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.propagator import Propagator
from cgsim.model.simulator import Simulator

_TEMPERATURE_TOLERANCE = 1e-2  # relative, as in training
_INTERVAL_TOLERANCE = 1e-3  # relative, as where histories are cut


def check_starts(
    simulator: Simulator | Propagator,
    starts: Sequence[MappedTrajectory],
    *,
    allow_other_mapping: bool,
) -> None:
    """Refuse beads of another mapping; warn, in a line, of other temperatures and intervals.

    Raises
    ------
    ValueError
        Naming the start and the parameter of the mapping, unless it is allowed to differ.
    """
    said = [
        difference
        for start in {own.name: own for own in starts}.values()
        for difference in (_temperature(simulator, start), _interval(simulator, start))
        if difference
    ]
    for start in starts:
        recipe = None if isinstance(simulator, Propagator) else simulator.recipe
        difference = "" if recipe is None else _mapping(start, recipe)
        if difference and not allow_other_mapping:
            raise ValueError(
                f"{start.name} was mapped in another way than the data of the simulator "
                f"({difference}): map it by the recipe of the simulator, or say "
                "allow_other_mapping=True (--allow_other_mapping) to roll it out nevertheless"
            )
        if difference:
            said.append(f"{start.name} was mapped in another way ({difference})")
    if said:
        more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
        warnings.warn(f"unlike the data of the simulator: {said[0]}{more}", stacklevel=3)


def _mapping(start: MappedTrajectory, recipe: dict[str, Any]) -> str:
    if start.recipe.get("method") == recipe.get("method") == "user":
        return ""  # beads that the user chose are so for every molecule
    return recipe_difference(start.recipe, recipe)


def _temperature(simulator: Simulator | Propagator, start: MappedTrajectory) -> str:
    own = start.temperature
    trained = None if isinstance(simulator, Propagator) else simulator.temperature
    if own is None or trained is None or np.isclose(own, trained, rtol=_TEMPERATURE_TOLERANCE):
        return ""
    return f"{start.name} is at {own:g} K, but it was trained at {trained:g} K"


def _interval(simulator: Simulator | Propagator, start: MappedTrajectory) -> str:
    """Frames at other times than the steps give no velocities."""
    step, interval = simulator.timestep, start.frame_interval
    stride = max(1, round(step / interval))
    if start.n_frames < 2 or np.isclose(stride * interval, step, rtol=_INTERVAL_TOLERANCE):
        return ""
    return (
        f"frames of {start.name} are {interval:g} ps apart, its steps are of {step:g} ps: replicas "
        "start at rest"
    )
