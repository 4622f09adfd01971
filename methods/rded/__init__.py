"""RDED: realistic patches, chosen by a teacher and put together."""
