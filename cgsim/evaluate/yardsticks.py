"""The rows of a comparison: the learned simulator, and what puts it in proportion.

A new yardstick is one row of `YARDSTICKS`; options of commands, tables, figures and JSON follow.
Nothing heavy is imported here, because ``--help`` is made of this table.
"""

from collections.abc import Iterable
from dataclasses import dataclass

#: Key and label of the row that is judged.
LEARNED = "learned"


@dataclass(frozen=True)
class Yardstick:
    """Trajectories that are scored against the reference in the same way as the learned ones.

    Parameters
    ----------
    label
        Human name, in tables and figures.
    help
        One sentence for the command line.
    colour
        In figures, ``#rrggbb``.
    """

    label: str
    help: str
    colour: str


#: By key, which is also the option of the command line and the key in the JSON. The place of a row
#: in the table chooses its random numbers: new ones go to the end.
YARDSTICKS: dict[str, Yardstick] = {
    "floor": Yardstick(
        "second MD run", "A second, independent MD run of the same molecules.", "#8d99ae"
    ),
    "md_equal_time": Yardstick(
        "MD, equal wall-clock", "MD as long as the wall-clock of the roll-out allows.", "#17a398"
    ),
    "md_10x_shorter": Yardstick(
        "MD, 10x shorter", "MD a tenth as long as the reference.", "#b8a1d9"
    ),
    "var": Yardstick(
        "vector autoregression",
        "Roll-outs of a vector autoregression, a linear model, fitted to the same MD.",
        "#e0a33a",
    ),
}


#: Key of the row that stands for the floor where no second MD run was given.
HALVES = "halves"

#: It is made of the reference, so that it is no option and no row of the table.
HALVES_ROW = Yardstick(
    "halves of the reference",
    "One half of the reference MD against the other, in place of a second MD run. Both are shorter "
    "than the reference, so that they differ by more than a second MD run would.",
    "#8d99ae",
)


def equal_time(seconds: float, *, speed: float, n_molecules: int) -> float:
    """MD of each molecule, ps, that the wall-clock of a roll-out buys.

    Parameters
    ----------
    seconds
        Wall-clock of the roll-out of all molecules.
    speed
        Of MD, ps/s, all molecules together: they share the machine as they did in the roll-out.
    n_molecules
        That were rolled out.
    """
    return seconds * speed / n_molecules


def row_labels() -> dict[str, str]:
    """Keys and labels of all rows, the learned one first."""
    return {LEARNED: LEARNED} | {key: row.label for key, row in YARDSTICKS.items()}


def row_label(key: str) -> str:
    """The label of a row; the key itself if the table does not know it."""
    return (row_labels() | {HALVES: HALVES_ROW.label}).get(key, key)


def check_yardsticks(keys: Iterable[str]) -> None:
    """Raise ValueError unless every key is in the table."""
    unknown = sorted(set(keys) - set(YARDSTICKS))
    if unknown:
        raise ValueError(
            f"there is no yardstick {', '.join(map(repr, unknown))}, only {', '.join(YARDSTICKS)}; "
            "a new one is a row of cgsim.evaluate.yardsticks.YARDSTICKS"
        )
