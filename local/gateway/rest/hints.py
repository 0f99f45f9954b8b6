"""The name that was probably meant: what an error suggests instead of one that does not exist.

Names are compared by the pieces of three, then two letters they share, then by edit distance; the
same way as the library that PostgREST uses, so that the suggestions are the same.
"""

from collections import Counter
from collections.abc import Iterable
from math import sqrt

# How alike a name has to be, from 0 to 1.
ALIKE = 0.75
SOMEWHAT_ALIKE = 0.33


def nearest(name: str, names: Iterable[str], least: float = ALIKE) -> str | None:
    """The one of `names` most like `name`, if any is at least that much like it."""
    wanted = name.lower()
    plain = {each.lower(): each for each in names}
    if wanted in plain:
        return plain[wanted]
    for size in (3, 2):
        scored = ((_shared(wanted, each, size), each) for each in plain)
        close = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])[:50]
        graded = [(_alike(wanted, each), each) for _, each in close]
        best = max(graded, default=(0.0, ""), key=lambda pair: pair[0])
        if best[0] >= least:
            return plain[best[1]]
    return None


def _shared(one: str, other: str, size: int) -> float:
    """The cosine of the angle between the counts of pieces."""
    first, second = _pieces(one, size), _pieces(other, size)
    dot = sum(count * second[piece] for piece, count in first.items())
    lengths = (sqrt(sum(n * n for n in counts.values())) for counts in (first, second))
    return dot / (next(lengths) * next(lengths))


def _pieces(text: str, size: int) -> Counter[str]:
    padded = f"-{text}-".ljust(size, "-")
    return Counter(padded[place : place + size] for place in range(len(padded) - size + 1))


def _alike(one: str, other: str) -> float:
    return 1 - _distance(one, other) / max(len(one), len(other), 1)


def _distance(one: str, other: str) -> int:
    """Insertions, deletions and replacements that make one the other."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, start=1):
        previous, row[0] = row[0], place
        for column, against in enumerate(other, start=1):
            cost = min(row[column] + 1, row[column - 1] + 1, previous + (letter != against))
            previous, row[column] = row[column], cost
    return row[-1]
