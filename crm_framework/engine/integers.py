"""Whole numbers beyond the 32 bits of `Int`, which no reader of JSON may get rounded.

Many readers of JSON keep numbers as floats of 64 bits, exact up to 2^53. So a number beyond that is text.
"""

from typing import NewType

BigInt = NewType("BigInt", int)
"""A field, an argument or a column of such numbers."""

SAFE = 2**53 - 1
"""What every reader of JSON gets exactly, on either side of 0."""
LEAST_BIG, MOST_BIG = -(2**63), 2**63 - 1
"""What a column of a database holds, and an argument may be."""
