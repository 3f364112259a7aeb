"""How much an image is asked for: one number an image, that needs no clock and is compared as it is. Pure.

Each write counts, and counts half as much after `HALF_LIFE` further writes of whatever. The number is the logarithm
(base 2) of that sum, taken where the n-th write of all counts 2 ** (n / HALF_LIFE): so what lies still need not be
reckoned again, and 2 ** (level - n / HALF_LIFE) is what the sum comes to at the n-th write.
"""

from __future__ import annotations

from math import inf, log2
from typing import Final

# Of 1,000 to 16,000 the one that hits best or nearly so however titles rise and fall (tests/bench/planning/caching.py):
# shorter ones forget what is asked for now and then, longer ones keep what has gone out of fashion.
HALF_LIFE: Final = 4000  # writes
NEVER: Final = -inf


def asked(level: float, number: int) -> float:
    """The level of an image that write `number` asks for, counted from the first write of all."""
    new = number / HALF_LIFE
    return max(level, new) + log2(1 + 2 ** -abs(level - new))
