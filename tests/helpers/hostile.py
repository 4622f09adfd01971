"""Objects whose pickles run code when they are read."""


class Hostile:
    """Pickled, it is a call of open that leaves a file behind when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")
