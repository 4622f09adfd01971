"""Synthetic sets of other projects: how their files are laid out, read without running anything in them."""
