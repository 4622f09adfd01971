"""Estimates of memory and cost, made before anything is computed."""
