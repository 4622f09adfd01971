"""The leaderboard as one self-contained HTML page: table, curves, cost, pictures, and where each number is from."""

from ddbench.evaluate.page.document import page
from ddbench.evaluate.page.gallery import PICTURE_BYTES, PICTURES_BYTES
from ddbench.evaluate.page.lines import row_key

__all__ = ["PICTURES_BYTES", "PICTURE_BYTES", "page", "row_key"]
