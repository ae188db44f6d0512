"""The inverse of a small matrix. Plain Python, because a gate need not have numpy."""

from collections.abc import Sequence


def inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """By Gauss and Jordan, with the largest pivot of each column.

    Raises:
        ZeroDivisionError: there is none.
    """
    size = len(matrix)
    rows = [[*row, *[float(here == place) for here in range(size)]] for place, row in enumerate(matrix)]
    for place in range(size):
        best = max(range(place, size), key=lambda row: abs(rows[row][place]))
        rows[place], rows[best] = rows[best], rows[place]
        pivot = rows[place][place]
        rows[place] = [value / pivot for value in rows[place]]
        for row in range(size):
            if row != place:
                times = rows[row][place]
                rows[row] = [
                    value - times * other for value, other in zip(rows[row], rows[place], strict=True)
                ]
    return [row[size:] for row in rows]
