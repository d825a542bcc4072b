"""INTEGRATE: from accelerations to the next positions."""

from cgsim.config.tables import named_row
from cgsim.model.integrators.bonds import Turning
from cgsim.model.integrators.steps import Steps, Straight

#: By their names in `cgsim.config.DynamicsConfig`; each brings its whitening with it.
STEPS: dict[str, type[Steps]] = {"straight": Straight, "turning": Turning}


def steps_class(name: str) -> type[Steps]:
    """The steps of a name.

    Raises
    ------
    ValueError
        If there are none; says which there are.
    """
    return named_row(STEPS, name, kind="kind of steps", option="steps")


__all__ = ["STEPS", "Steps", "steps_class"]
