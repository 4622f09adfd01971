"""The domains: images and graphs."""
