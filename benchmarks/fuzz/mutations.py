"""What goes wrong with files: bytes, numbers, lines, columns, encodings and ends."""

import re
from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
Mutation = Callable[[bytearray, Rng], bytes]

_NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")
_NUMBERS = (b"nan", b"inf", b"1e30", b"-0", b"0", b"-1", b"999999999", b"1e-30", b"****", b"")
_INTEGERS = (0, 1, -1, 9, 10, 73, 84, 2**24, 2**31 - 1, -(2**31), 1995, 2995)


def _flip(content: bytearray, rng: Rng) -> bytes:
    for at in rng.integers(0, len(content), rng.integers(1, 4)):
        content[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(content)


def _overwrite(content: bytearray, rng: Rng) -> bytes:
    at = int(rng.integers(0, len(content)))
    content[at : at + 1] = rng.bytes(1)
    return bytes(content)


def _integer(content: bytearray, rng: Rng) -> bytes:
    """An integer of a header, or of the first records, of either byte order and size."""
    end = len(content) if rng.random() < 0.5 else min(len(content), 400)
    at = int(rng.integers(0, end)) // 4 * 4
    kind = str(rng.choice([">i4", "<i4", ">i8", "<i8"]))
    value = np.array(int(rng.choice(_INTEGERS)), dtype=kind).tobytes()
    content[at : at + len(value)] = value
    return bytes(content)


def _float(content: bytearray, rng: Rng) -> bytes:
    at = int(rng.integers(0, len(content))) // 4 * 4
    kind = str(rng.choice([">f4", "<f4", ">f8", "<f8"]))
    number = float(rng.choice([np.nan, np.inf, 1e30, -0.0, 1e-40]))
    value = np.array(number, dtype=kind).tobytes()
    content[at : at + len(value)] = value
    return bytes(content)


def _truncate(content: bytearray, rng: Rng) -> bytes:
    return bytes(content[: int(rng.integers(0, len(content)))])


def _delete(content: bytearray, rng: Rng) -> bytes:
    at = int(rng.integers(0, len(content)))
    del content[at : at + int(rng.integers(1, 200))]
    return bytes(content)


def _insert(content: bytearray, rng: Rng) -> bytes:
    at = int(rng.integers(0, len(content) + 1))
    content[at:at] = rng.bytes(int(rng.integers(1, 20)))
    return bytes(content)


def _repeat(content: bytearray, rng: Rng) -> bytes:
    at = int(rng.integers(0, len(content)))
    content[at:at] = content[at : at + int(rng.integers(1, 200))]
    return bytes(content)


def _append(content: bytearray, rng: Rng) -> bytes:
    return bytes(content) + rng.choice([b"\n", b"\0" * 64, b"\n\n\n", b"END\n", rng.bytes(30)])


def _number(content: bytearray, rng: Rng) -> bytes:
    """One number of a text, the columns kept or not."""
    found = list(_NUMBER.finditer(bytes(content)))
    if not found:
        return _flip(content, rng)
    hit = found[int(rng.integers(0, len(found)))]
    new = _NUMBERS[int(rng.integers(0, len(_NUMBERS)))]
    if rng.random() < 0.5:
        new = new.rjust(hit.end() - hit.start())
    content[hit.start() : hit.end()] = new
    return bytes(content)


def _lines(content: bytearray, rng: Rng) -> bytes:
    """Two lines swapped, one left out, doubled, shifted, commented out or made blank."""
    lines = bytes(content).split(b"\n")
    first, second = (int(i) for i in rng.integers(0, len(lines), 2))
    match int(rng.integers(0, 7)):
        case 0:
            lines[first], lines[second] = lines[second], lines[first]
        case 1:
            del lines[first]
        case 2:
            lines.insert(first, lines[first])
        case 3:
            lines[first] = b" " + lines[first]
        case 4:
            lines[first] = b"# " + lines[first]
        case 5:
            lines.insert(first, b"")
        case _:
            lines[first] = lines[first][: len(lines[first]) // 2]
    return b"\n".join(lines)


def _columns(content: bytearray, rng: Rng) -> bytes:
    """Two words of a line swapped."""
    lines = bytes(content).split(b"\n")
    at = int(rng.integers(0, len(lines)))
    words = lines[at].split()
    if len(words) > 1:
        i, j = (int(i) for i in rng.integers(0, len(words), 2))
        words[i], words[j] = words[j], words[i]
        lines[at] = b" ".join(words)
    return b"\n".join(lines)


def _whole(content: bytearray, rng: Rng) -> bytes:
    """The whole text otherwise: line ends, case, tabs, a mark of its encoding, nothing."""
    text = bytes(content)
    match int(rng.integers(0, 7)):
        case 0:
            return text.replace(b"\n", b"\r\n")
        case 1:
            return text.lower()
        case 2:
            return text.replace(b"  ", b"\t")
        case 3:
            return b"\xef\xbb\xbf" + text
        case 4:
            return text.decode("latin-1").encode("utf-16")
        case 5:
            return text.rstrip()
        case _:
            return b""


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__[1:]: mutation
    for mutation in (
        *(_flip, _overwrite, _integer, _float, _truncate, _delete, _insert, _repeat, _append),
        *(_number, _lines, _columns, _whole),
    )
}
_OF_TEXT = ("number", "lines", "columns", "whole")
_OF_BYTES = ("integer", "float")


def mutated(content: bytes, rng: Rng, *, is_text: bool) -> tuple[str, bytes]:
    """Return the names of one or two mutations and what they make of a file."""
    left_out = _OF_BYTES if is_text else _OF_TEXT
    names = [name for name in MUTATIONS if name not in left_out]
    names += _OF_TEXT if is_text else _OF_BYTES * 2  # the likelier ones
    chosen = [names[int(rng.integers(0, len(names)))] for _ in range(1 + (rng.random() < 0.25))]
    for name in chosen:
        if content:
            content = MUTATIONS[name](bytearray(content), rng)
    return "+".join(chosen), content
