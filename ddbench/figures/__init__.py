"""Pictures of synthetic sets."""
