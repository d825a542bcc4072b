"""Internal units (nm, ps, Da, kJ/mol, K) and the only conversion factors of the library.

A reduced-unit (Lennard-Jones) bead model is mapped as ``sigma = 1 nm``, ``m = 1 Da`` and
``epsilon = 1 kJ/mol``, so that its time unit ``tau = sigma * sqrt(m / epsilon)`` is exactly 1 ps.
"""

from typing import Final

LENGTH: Final = "nm"
TIME: Final = "ps"
MASS: Final = "Da"
ENERGY: Final = "kJ/mol"
TEMPERATURE: Final = "K"

UNITS: Final[dict[str, str]] = {
    "length": LENGTH,
    "time": TIME,
    "mass": MASS,
    "energy": ENERGY,
    "temperature": TEMPERATURE,
}
"""Written into every JSON file of the library."""

BOLTZMANN: Final = 8.31446261815324e-3
"""Boltzmann (molar gas) constant in kJ/mol/K; exact in the SI of 2019."""

NM_PER_ANGSTROM: Final = 0.1
PS_PER_FS: Final = 1e-3
PS_PER_NS: Final = 1e3
KJ_PER_KCAL: Final = 4.184
