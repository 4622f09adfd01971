"""Bounds on what a recipe, or a file that records one, may ask for."""

MOST_IPC = 10**6
"""Images per class."""

MOST_SEEDS = 10_000
"""Networks that may be trained for one row."""

MOST_STEPS = 10**9
"""Optimizer steps of one training."""

MOST_SEED = 2**63 - 1
"""Rows keep seeds in 64 bits."""
