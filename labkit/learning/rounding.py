"""Is a number right, once roundings on the way are forgiven? Used by the judges of exercises."""

from __future__ import annotations

import math

from labkit.learning.quantities import close

#: Relative; wide enough for numbers that were rounded on the way.
TOLERANCE = 0.03
#: A result may be rounded to this many significant digits; the cards ask for one more.
DIGITS = 2

TOO_ROUND = "Your formula may be right, but you rounded too much: give three significant digits."


def agrees(got: float, *expected: float) -> bool:
    """Is it one of these, or one of them rounded to at least two significant digits?"""
    return any(close(got, value, TOLERANCE) or is_rounding(got, value, DIGITS) for value in expected)


def is_rounding(got: float, exact: float, digits: int) -> bool:
    """Is `got` the number `exact`, rounded to this many significant digits? 0.06 is 0.0558 to one digit.

    At 0 digits the whole number is one digit of the place above: 0.7 becomes 1, and 0.004 becomes 0.
    """
    unit = 10.0 ** (math.floor(math.log10(exact)) + 1 - digits)
    multiple = round(got / unit) * unit
    return close(got, multiple, 1e-9) and abs(got - exact) <= unit / 2 * (1 + 1e-9)


def is_coarse(got: float, *expected: float) -> bool:
    """Is it one of these, rounded to fewer digits than can be checked?"""
    return any(is_rounding(got, value, digits) for value in expected for digits in (1, 0))
