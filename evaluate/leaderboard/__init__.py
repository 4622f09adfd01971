"""Leaderboard: rows, their ranking, tables, and the page."""
