"""Experts that can still be used beside a damaged one, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def usable_fact(experts: Mapping[int, int] | Sequence[int]) -> str:
    """Write the line of an error that lists the experts that can still be used, by number."""
    listed = sorted(experts)
    if not listed:
        return "usable no other expert"
    runs: list[list[int]] = []
    for expert in listed:
        if runs and expert == runs[-1][1] + 1:
            runs[-1][1] = expert
        else:
            runs.append([expert, expert])
    text = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)
    return f"usable experts {text} ({len(listed)} in all)"
