"""The domain of graphs."""
