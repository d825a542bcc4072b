"""What a user would otherwise try: networks to compare with, in a simulator like any other.

`PlainDynamics` does without equivariance, `CompositionEmbedding` without the atom graph. Train with
one by ``fit(..., network=PlainDynamics)``, read it with ``load_simulator(file,
network=PlainDynamics)``; everything after that is the same. (A simulator on `PlainDynamics` has no
score network: ``score=None``.)
"""

from cgsim.baselines.composition import CompositionEmbedding
from cgsim.baselines.plain import PlainDynamics

__all__ = ["CompositionEmbedding", "PlainDynamics"]
