"""How numbers are written on the page: units, digits and intervals, each in one place."""

from __future__ import annotations

from collections.abc import Callable

from fer_audit.results import Estimate, Results

DASH = "\u2013"  #: between the ends of an interval
MINUS = "\u2212"
THIN = "\u202f"  #: narrow no-break space, before a unit
UNKNOWN = "\u2014"  #: where there is no number

Form = Callable[[float], str]


def percent(value: float, digits: int = 1) -> str:
    """A share in percent, such as `71.2 %`."""
    return f"{100 * value:.{digits}f}{THIN}%"


def decimal(value: float) -> str:
    """A number between -1 and 1 with three digits, such as an AUC."""
    return f"{value:.3f}".replace("-", MINUS)


def signed(value: float) -> str:
    """A difference in percentage points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", MINUS)


def signed_decimal(value: float) -> str:
    """A difference of AUCs, with its sign."""
    return f"{value:+.3f}".replace("-", MINUS)


def points(value: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * value:.1f}".replace("-", MINUS)


def ratio(value: float) -> str:
    """How many times as much, with two digits."""
    return f"{value:.2f}"


def p_value(value: float) -> str:
    """A p-value with three decimals."""
    return "<\u202f0.001" if value < 0.001 else f"{value:.3f}"


def confidence(results: Results) -> str:
    """The confidence of the intervals, such as `95 %`."""
    known = (attack.auc.confidence for cell in results.cells if cell.privacy for attack in cell.privacy.attacks)
    return share(next(known, 0.95))


def share(value: float) -> str:
    """A share in percent without zeros at its end, such as `1 %` or `0.1 %`."""
    return f"{100 * value:.4g}{THIN}%"


def loss(epsilon: float) -> str:
    """A privacy loss; a bound of 0 proves nothing."""
    return f"{epsilon:.2f}" if epsilon else "0"


def integer(value: float) -> str:
    """A count with thousands separated."""
    return f"{value:,}"


def short(value: float) -> str:
    """A large count with three significant digits and k, M, G or T."""
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{_three(value / scale)}{THIN}{unit}"
    return f"{value:.0f}"


def _three(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """A time span in the units that fit it."""
    if seconds < 60:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{THIN}h {minutes}{THIN}min"


def interval(estimate: Estimate, form: Form = percent) -> str:
    """The interval of an estimate, such as `68.0-74.1 %`; empty where it has none."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    low, high = form(estimate.low), form(estimate.high)
    if low.startswith(MINUS):
        return f"{low} to {high}"
    unit = f"{THIN}%"
    return f"{low.removesuffix(unit) if high.endswith(unit) else low}{DASH}{high}"


def with_interval(estimate: Estimate, form: Form = percent) -> str:
    """An estimate with its interval in brackets, or why there is none."""
    if estimate.value is None:
        return estimate.note or UNKNOWN
    span = interval(estimate, form)
    return f"{form(estimate.value)} ({span})" if span else form(estimate.value)
