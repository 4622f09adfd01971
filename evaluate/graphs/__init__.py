"""Graphs: how networks are trained on small sets of them, and what can be had without any learning."""
