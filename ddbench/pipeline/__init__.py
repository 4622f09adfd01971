"""Pipelines: from a recipe to experts, synthetic sets and rows."""
