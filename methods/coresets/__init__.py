"""Coresets: real images chosen as baselines."""
