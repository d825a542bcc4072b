"""What a simulator shows of itself: its time step, its data, its networks, where they are."""

from typing import Any

from cgsim.io.display import Facts, duration, listed
from cgsim.mapping.bead_mapping import recipe_text


def facts_of(simulator: Any) -> Facts:
    """The facts of a `cgsim.model.simulator.Simulator`, which imports this."""
    config, scales = simulator.config, simulator.statistics
    weights = list(simulator.parameters())
    noise, steps = (getattr(config.dynamics, name, None) for name in ("noise", "steps"))
    return {
        "time step": f"{duration(scales.timestep)}, from {config.history} frames",
        "networks": listed(type(own).__name__ for own in simulator.children()),
        "noise": noise,
        "steps": steps,
        "beads": f"bonds of {scales.length_scale:.3g} nm, {scales.mass_scale:.4g} Da on average",
        "mapping": None if simulator.recipe is None else recipe_text(simulator.recipe),
        "atom types": listed(simulator.atom_types, most=16),
        "parameters": f"{sum(own.numel() for own in weights):,}",
        "device": f"{weights[0].device}, {str(weights[0].dtype).removeprefix('torch.')}",
    }
