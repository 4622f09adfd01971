"""``python -m ddbench``: the same as the installed script."""

from ddbench.commands import console

if __name__ == "__main__":
    console()
