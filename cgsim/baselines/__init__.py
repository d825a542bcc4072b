"""What a user would otherwise try: simulators and propagators to compare with.

`PlainSimulator` does without equivariance, `CompositionSimulator` without the atom graph. Train one
with ``fit(..., network=PlainSimulator)``, read it with ``load_simulator(file,
network=PlainSimulator)``; everything after that is the same.

A `Propagator` knows the last frames alone: `fit_propagator` fits a vector autoregression and
others, and `cgsim.simulate` rolls them out like a simulator.
"""

from cgsim.baselines.composition import CompositionSimulator
from cgsim.baselines.files import load_propagator, save_propagator
from cgsim.baselines.plain import PlainSimulator
from cgsim.baselines.propagators import PROPAGATORS, fit_propagator
from cgsim.model.propagator import Propagator

__all__ = [
    "PROPAGATORS",
    "CompositionSimulator",
    "PlainSimulator",
    "Propagator",
    "fit_propagator",
    "load_propagator",
    "save_propagator",
]
