"""Parts of trajectory matching: one way to do one thing a class, chosen by name."""
