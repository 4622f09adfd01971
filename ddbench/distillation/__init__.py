"""Distillation: the contract of methods, the outer loop, its state on disk, and independent jobs."""
