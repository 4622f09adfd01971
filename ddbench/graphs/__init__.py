"""Graphs with labels, their computation trees, and the networks that read them."""
