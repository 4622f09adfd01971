"""DD-Ranking: what a synthetic set gains over random images, and what it lacks of the real data, under one recipe."""
