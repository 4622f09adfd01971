"""The leaderboard as one self-contained HTML page: table, curves, cost, pictures, and where each number is from."""

from ddbench.evaluate.leaderboard.page.document import page
from ddbench.evaluate.leaderboard.page.gallery import PICTURE_BYTES, PICTURES_BYTES
from ddbench.evaluate.leaderboard.page.page_rows import row_key

__all__ = ["PICTURES_BYTES", "PICTURE_BYTES", "page", "row_key"]
