"""Names of residues and their atoms, in the spellings of several programs."""

import pytest

from cgsim.io.residues import ion_symbol, plain, template_of


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        *(("1HB", "HB1"), ("2HG1", "HG12"), ("0C21", "C210"), ("6C31", "C316"), ("O5*", "O5'")),
        *(('H5"', "H5''"), ("CA", "CA"), ("H5''", "H5''"), ("1H5*", "H5'1")),
    ],
)
def test_spellings_of_one_name(spelled: str, name: str) -> None:
    """Old PDB files put last digits first; NMR programs write a double quote for two primes."""
    assert plain(spelled) == name


def test_a_lipid_whose_long_names_are_turned_round() -> None:
    template = template_of("DPPC")
    assert template is not None
    assert template.fits(["P", "0C21", "1C21", "6C31", "H10R"])
    assert (template.symbol("0C21"), template.symbol("C216"), template.symbol("P")) == (
        "C",
        "C",
        "P",
    )


@pytest.mark.parametrize("name", ["CYD", "LYD", "TYD", "TYO", "LYSH", "NALA", "CHIE", "DLEU"])
def test_protonation_states_and_termini_are_amino_acids(name: str) -> None:
    template = template_of(name)
    assert template is not None
    assert template.kind == "amino"


def test_cytosine_is_no_cysteine() -> None:
    template = template_of("CYT")
    assert template is not None
    assert template.kind == "nucleic"


@pytest.mark.parametrize(
    ("residue", "atom", "symbol"),
    [
        *(("CA", "CA", "Ca"), ("ALA", "CA", None), ("ION", "NA+", "Na"), ("CL-", "CL", "Cl")),
        *(("CLA", "CLA", "Cl"), ("LIG", "CL", None), ("W", "W", None), ("MG2", "MG", "Mg")),
    ],
)
def test_ions_by_both_names(residue: str, atom: str, symbol: str | None) -> None:
    assert ion_symbol(residue, atom) == symbol
