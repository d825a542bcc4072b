"""Which package is missing, and where it is."""

import re
import sys
from pathlib import Path

import pytest

from cgsim.io import load_molecule


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("run.tpr", "MDAnalysis", "mdanalysis"),
        ("run.gsd", "gsd", "mdanalysis"),
        ("run.h5", "tables", "formats"),
    ],
)
def test_the_advice_names_what_holds_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    said = rf"{name}.*needs the package {package}.*pip install 'cgsim\[{extra}\]'"
    with pytest.raises(ValueError, match=said):
        load_molecule(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.top", '#include "no.itp"\n[ moleculetype ]\nA 3\n', "no.itp"),
        ("a.mol2", "@<TRIPOS>MOLECULE\nA\n1 0 0\nSMALL\nbcc\n", "a.mol2: cannot be read"),
    ],
)
def test_no_exceptions_within_exceptions_are_shown(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    pytest.importorskip("MDAnalysis")
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        load_molecule(path)
    text = str(caught.value)
    assert text.count(str(path)) == 1
    assert text.count("Error(") <= 1
    assert "\\n" not in text
