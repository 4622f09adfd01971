"""How synthetic sets are scored: protocols, rows and leaderboard."""

if __name__ != "ddbench.evaluate":
    raise ImportError(
        "this folder is the package 'ddbench.evaluate'; import it by that name. "
        "If you wanted Hugging Face's 'evaluate', run Python with -P or from another folder."
    )
