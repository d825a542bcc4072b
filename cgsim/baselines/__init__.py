"""What a user would otherwise try: simulators to compare with, run exactly like `Simulator`.

`PlainSimulator` does without equivariance, `CompositionSimulator` without the atom graph. Train one
with ``fit(..., network=PlainSimulator)``, read it with ``load_simulator(file,
network=PlainSimulator)``; everything after that is the same.
"""

from cgsim.baselines.composition import CompositionSimulator
from cgsim.baselines.plain import PlainSimulator

__all__ = ["CompositionSimulator", "PlainSimulator"]
