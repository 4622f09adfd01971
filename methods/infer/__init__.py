"""INFER: natural images, and compensators that all classes share."""
