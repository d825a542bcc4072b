"""Systems whose transitions are known exactly: what a perfect simulator of them would score.

Overdamped harmonic networks (`rouse_chain`, `tethered_particle`), an `InertialChain` that needs
history, and a `DoubleWell` that is not Gaussian. These diffuse freely, as cgsim sees only
differences of positions: the centre has no stationary distribution, and its share of the entropy
rate is that of its displacement. `FourWell`, in reduced units, is for models of states.

Energies are in kJ/mol, so springs are in kJ/mol/nm^2 and frictions in kJ/mol ps/nm^2 (= Da/ps).
"""

from cgsim.testing.exact.doublewell import DoubleWell
from cgsim.testing.exact.four_well import FourWell
from cgsim.testing.exact.inertial import InertialChain
from cgsim.testing.exact.rouse import RouseNetwork, rouse_chain, tethered_particle
from cgsim.testing.exact.system import ExactSystem, GaussianSystem

__all__ = [
    "DoubleWell",
    "ExactSystem",
    "FourWell",
    "GaussianSystem",
    "InertialChain",
    "RouseNetwork",
    "rouse_chain",
    "tethered_particle",
]
