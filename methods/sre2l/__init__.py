"""SRe2L: images from noise that a teacher recognizes, and whose statistics are those of its training."""
