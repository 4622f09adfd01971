"""Plans: what a recipe takes, before it starts."""
