"""Coresets of graphs: real graphs chosen as baselines."""
