"""The quantile of the F distribution, without the import of scipy, which takes longer than a whole study."""

from __future__ import annotations

from math import exp, lgamma, log, log1p


def f_quantile(numerator: float, denominator: float, probability: float) -> float:
    """The value that an F-distributed number stays below with a probability, accurate to some 1e-10.

    Args:
        numerator: Degrees of freedom of the numerator, above 0.
        denominator: Those of the denominator.
        probability: Between 0 and 1.

    Example:
        >>> round(f_quantile(5, 95, 0.95), 6)
        2.310225
    """
    a, b = numerator / 2, denominator / 2
    low, high = 0.0, 1.0
    while high - low > 1e-15 * high:  # bisection: the function is monotonous, and called twice a study
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _beta_probability(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return b * high / (a * (1 - high))


def _beta_probability(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function by its continued fraction (DLMF 8.17.22)."""
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_probability(b, a, 1 - x)
    front = exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a
    tiny = 1e-300
    value, c, d = 1.0, 1.0, 0.0
    for step in range(10_000):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / (1 + term * d or tiny)
        c = 1 + term / c or tiny
        value *= c * d
        if abs(1 - c * d) < 1e-16:
            break
    return front * (value - 1)
