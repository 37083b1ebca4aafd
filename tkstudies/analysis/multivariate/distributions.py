"""Quantiles of the chi-square, beta and F distributions, without scipy, whose import takes longer than a whole study.

Each is solved for on a logarithmic scale by Newton's method within a bracket. Incomplete gamma and beta functions:
DLMF 8.11.4, 8.9.2 and 8.17.22. Densities are written with Stirling's remainder, so that large degrees of freedom
don't subtract large logarithms (Loader, Fast and Accurate Computation of Binomial Probabilities, 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, lgamma, log, log1p, pi

Tails = tuple[float, float, float]
"""Probabilities below and above a point, and the density on the logarithmic scale."""

_EPS = 2.0**-53
_TINY = 1e-300
_LEAST = -700.0  # exp of less is no float
_MOST_TERMS = 1_000_000


def chi_square_quantile(freedom: float, probability: float) -> float:
    """The value that a chi-square number stays below with a probability.

    Args:
        freedom: Degrees of freedom, any number above 0.
        probability: Between 0 and 1.

    Example:
        >>> round(chi_square_quantile(2.5, 0.99), 6)
        10.311244
    """
    shape = float(freedom) / 2
    return 2 * exp(_solve(lambda place: _gamma_tails(shape, place), probability))


def beta_quantile(a: float, b: float, probability: float) -> float:
    """The same of the beta distribution with the parameters ``a`` and ``b``, both above 0.

    >>> round(beta_quantile(2.5, 27, 0.99), 6)
    0.238198
    """
    odds = _beta_odds(a, b, probability)
    return odds / (1 + odds)


def f_quantile(numerator: float, denominator: float, probability: float) -> float:
    """The same of the F distribution with these degrees of freedom.

    >>> round(f_quantile(5, 95, 0.95), 6)
    2.310225
    """
    return denominator / numerator * _beta_odds(numerator / 2, denominator / 2, probability)


def _beta_odds(a: float, b: float, probability: float) -> float:
    a, b = float(a), float(b)
    return exp(_solve(lambda place: _beta_tails(a, b, place), probability))


def _solve(tails: Callable[[float], Tails], probability: float) -> float:
    """Where the probability below is the given one, on the logarithmic scale."""
    low, high, probability = -1.0, 1.0, float(probability)
    while low > _LEAST and tails(low)[0] > probability:
        low, high = max(2 * low, _LEAST), low
    while tails(high)[0] < probability and high < -_LEAST:
        low, high = high, min(2 * high, -_LEAST)
    place = (low + high) / 2
    for _ in range(200):
        below, above, density = tails(place)
        excess = below - probability if probability < 0.5 else (1 - probability) - above
        low, high = (low, place) if excess > 0 else (place, high)
        after = place - excess / density if density else inf
        if not low <= after <= high:
            after = (low + high) / 2
        if abs(after - place) <= _EPS * max(1.0, abs(place)):
            break
        place = after
    return after


def _gamma_tails(a: float, place: float) -> Tails:
    """Of the gamma distribution with shape ``a``, at exp(place)."""
    x = exp(place)
    excess = x - a
    density = exp(_excess_log(a, x, excess) - _stirling(a)) * (a / (2 * pi)) ** 0.5
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, _MOST_TERMS):
            term *= x / (a + n)
            total += term
            if term < _EPS * total:
                break
        return density * total, 1 - density * total, density
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value = d
    for n in range(1, _MOST_TERMS):
        factor = -n * (n - a)
        b += 2
        d = 1 / (factor * d + b or _TINY)
        c = b + factor / c or _TINY
        value *= c * d
        if abs(c * d - 1) < 2 * _EPS:
            break
    return 1 - density * value, density * value, density


def _excess_log(expected: float, value: float, excess: float) -> float:
    """``expected`` log(value / expected) - excess, exact where value and expected are close."""
    return expected * _log_ratio(value, expected, excess) - excess


def _log_ratio(value: float, expected: float, excess: float) -> float:
    return log1p(excess / expected) if abs(excess) < expected / 2 else log(value / expected)


def _beta_tails(a: float, b: float, place: float) -> Tails:
    """Of the beta distribution, at the odds exp(place)."""
    x, y = 1 / (1 + exp(-place)), 1 / (1 + exp(place))
    n = a + b
    excess = n * x - a if x < 0.5 else b - n * y
    exponent = a * _log_ratio(n * x, a, excess) + b * _log_ratio(n * y, b, -excess)
    rest = _stirling(n) - _stirling(a) - _stirling(b)
    density = exp(exponent + rest) * (a / n * b / (2 * pi)) ** 0.5
    if x <= (a + 1) / (n + 2):
        below = density / a * _beta_fraction(a, b, x)
        return below, 1 - below, density
    above = density / b * _beta_fraction(b, a, y)
    return 1 - above, above, density


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by the method of Lentz."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(_MOST_TERMS):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / (1 + term * d or _TINY)
        c = 1 + term / c or _TINY
        value *= c * d
        if abs(1 - c * d) < 2 * _EPS:
            break
    return value - 1


def _stirling(a: float) -> float:
    """log Gamma(a) - ((a - 1/2) log a - a + log(2 pi) / 2)."""
    if a < 15:
        return lgamma(a) - ((a - 0.5) * log(a) - a + log(2 * pi) / 2)
    square = a * a
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * square)) / square) / square) / square) / a
