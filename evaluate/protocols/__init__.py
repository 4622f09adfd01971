"""Protocols: how fresh networks are trained on a synthetic set."""
