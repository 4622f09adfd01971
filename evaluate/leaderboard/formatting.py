"""Numbers as people read them."""

from __future__ import annotations

import math


def percent(mean: float | None, std: float | None) -> str:
    """Format a mean of fractions as ``89.3 ± 1.7 %``.

    Args:
        mean: A fraction; None or nan where there is none.
        std: Its standard deviation; None or nan leaves it out.

    Returns:
        The text; empty without a mean.
    """
    if mean is None or math.isnan(mean):
        return ""
    spread = "" if std is None or math.isnan(std) else f" ± {100 * std:.1f}"
    return f"{100 * mean:.1f}{spread} %"


def per_kilobyte(per_byte: float | None) -> str:
    """Format an accuracy for a byte as percentage points for 1000 bytes.

    Args:
        per_byte: A fraction for a byte; None or nan where there is none.

    Returns:
        Three digits, or a whole number with commas; empty without a value.
    """
    if per_byte is None or math.isnan(per_byte):
        return ""
    points = per_byte * 100_000
    return f"{points:.3g}" if points < 999.5 else f"{points:,.0f}"


def duration(seconds: float) -> str:
    """Format a duration as ``0.4 s``, ``41 s``, ``3 min 20 s`` or ``5 h 12 min``.

    Args:
        seconds: Duration in seconds.

    Returns:
        The text.
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: int) -> str:
    """Format a size as ``512 B``, ``10.3 kB`` or ``30.7 MB``; a kB is 1000 bytes.

    Args:
        count: Bytes.

    Returns:
        The text.
    """
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
