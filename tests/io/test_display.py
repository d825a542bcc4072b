"""How objects show themselves, whatever there is to say."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgsim.io.display import (
    MAX_LINES,
    MAX_WIDTH,
    as_html,
    as_text,
    comma_list,
    duration,
    frames,
    shown,
)

LABELS = st.text(
    st.characters(codec="ascii", categories=["L", "Nd", "Zs"]), min_size=1, max_size=20
)
FACTS = st.dictionaries(
    LABELS, st.one_of(st.none(), st.integers(), st.text(max_size=300)), max_size=30
)


@given(title=LABELS, facts=FACTS)
def test_ten_lines_at_most(title: str, facts: dict[str, object]) -> None:
    lines = as_text(title, facts).split("\n")
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= MAX_WIDTH
    there = [label for label, fact in facts.items() if fact is not None]
    if len(there) < MAX_LINES:
        assert len(lines) == 1 + len(there)
    else:
        assert f"and {len(there) - MAX_LINES + 2} more" in lines[-1]


def test_text_is_aligned_and_leaves_out_what_is_unknown() -> None:
    said = as_text("Thing", {"one": 1, "twenty": "2\n0", "none": None})
    assert said == "Thing\n  one     1\n  twenty  2 0"


@given(value=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=80))
def test_html_says_the_same_whatever_the_characters(value: str) -> None:
    table = ElementTree.fromstring(as_html("<T>", {"a & b": value}))
    assert table.tag == "table"
    assert [cell.text or "" for cell in table.iter("td")] == [" ".join(value.split())]
    assert [cell.text for cell in table.iter("th")] == ["a & b"]
    assert [cell.text for cell in table.iter("b")] == ["<T>"]


def test_a_class_shows_its_name_and_that_of_the_object() -> None:
    class Thing:
        name = "a"

        def facts(self) -> dict[str, object]:
            return {"size": 3}

        __repr__, _repr_html_ = shown(facts)

    class Other(Thing):
        name = "b"

    assert repr(Thing()) == "Thing 'a'\n  size  3"
    assert repr(Other()) == "Other 'b'\n  size  3"
    assert "Other &#x27;b&#x27;" in Other()._repr_html_()


def test_long_lists_are_cut() -> None:
    assert comma_list("abc") == "a, b, c"
    assert comma_list([str(number) for number in range(1010)], most=2) == "0, 1 and 1,008 more"


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (0.004, "0.004 ps"),
        (20, "20 ps"),
        (1000, "1 ns"),
        (12_500, "12.5 ns"),
        (3e6, "3 µs"),
        (2e9, "2 ms"),
    ],
)
def test_times_are_in_the_unit_that_reads_best(time: float, said: str) -> None:
    assert duration(time) == said
    assert frames(1, time) == f"1, one every {said} ({said})"
