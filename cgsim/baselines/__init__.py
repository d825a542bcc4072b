"""What a user would otherwise try: networks and propagators to compare with.

`PlainDynamics` does without equivariance, `CompositionEmbedding` without the atom graph: networks
in a simulator like any other. Train with one by ``fit(..., network=PlainDynamics)``, read it with
``load_simulator(file, network=PlainDynamics)``; everything after that is the same. (A simulator on
`PlainDynamics` has no score network: ``score=None``.)

A `Propagator` knows the last frames alone: `fit_propagator` fits a vector autoregression and
others, and `cgsim.simulate` rolls them out like a simulator.
"""

from cgsim.baselines.composition import CompositionEmbedding
from cgsim.baselines.files import load_propagator, save_propagator
from cgsim.baselines.plain import PlainDynamics
from cgsim.baselines.propagators import PROPAGATORS, fit_propagator
from cgsim.model.propagator import Propagator

__all__ = [
    "PROPAGATORS",
    "CompositionEmbedding",
    "PlainDynamics",
    "Propagator",
    "fit_propagator",
    "load_propagator",
    "save_propagator",
]
