"""The conversion factors against CODATA and against each other."""

import math

import pytest
from scipy import constants

from cgsim import units


def test_boltzmann_is_the_molar_gas_constant_in_kj() -> None:
    assert pytest.approx(constants.R / 1000, rel=1e-15) == units.BOLTZMANN


def test_internal_units_are_coherent() -> None:
    """One kJ/mol is one Da nm^2/ps^2, so that no factor stands in the equations of motion."""
    da_nm2_ps2 = constants.atomic_mass * 1e-18 / 1e-24  # J
    # Since 2019 the molar mass constant is 1 g/mol to about 1e-9 only.
    assert da_nm2_ps2 * constants.N_A / 1000 == pytest.approx(1, rel=1e-8)


def test_lennard_jones_time_unit_is_one_picosecond() -> None:
    sigma, mass, epsilon = 1.0, 1.0, 1.0  # nm, Da, kJ/mol
    assert sigma * math.sqrt(mass / epsilon) == 1.0
    assert epsilon / units.BOLTZMANN == pytest.approx(120.27, abs=0.01)  # K


def test_conversion_factors() -> None:
    assert constants.angstrom / 1e-9 == pytest.approx(units.NM_PER_ANGSTROM)
    assert constants.femto / constants.pico == pytest.approx(units.PS_PER_FS)
    assert constants.nano / constants.pico == pytest.approx(units.PS_PER_NS)
    assert constants.calorie == units.KJ_PER_KCAL


def test_every_unit_is_named_once() -> None:
    assert units.UNITS == {
        "length": "nm",
        "time": "ps",
        "mass": "Da",
        "energy": "kJ/mol",
        "temperature": "K",
    }
