"""What the methods of trajectory matching are made of: one way to do one thing a class, chosen by name in a recipe."""
