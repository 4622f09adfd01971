"""Small image sets on disk, drawn from a seed, for the tests of the data sources."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from ddbench.data.known_sets import KNOWN


def small_known(monkeypatch, name: str, classes: int, train: int, test: int) -> None:
    """Let a small copy of a known set pass under its name, as a set of these counts; all others are still refused."""
    counts = replace(KNOWN[name], classes=classes, train=train, test=test, train_each=None, test_each=None, exact=True)
    monkeypatch.setitem(KNOWN, name, counts)


def pixels(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Random bytes, never constant."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_image(path: Path, array: np.ndarray) -> None:
    """One image file; its ending says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, format="JPEG" if path.suffix == ".JPEG" else None)


def write_folder(root: Path, classes: dict[str, int], size: tuple[int, int] = (6, 6), seed: int = 0) -> np.ndarray:
    """``root/<class>/<number>.png`` in RGB. Returns all images in reading order, (n, 3, H, W)."""
    images = []
    for name in sorted(classes):
        for number in range(classes[name]):
            seed += 1
            array = pixels(seed, (*size, 3))
            write_image(root / name / f"{number:03d}.png", array)
            images.append(array.transpose(2, 0, 1))
    return np.stack(images)


def encoded(array: np.ndarray) -> bytes:
    """The bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, format="PNG")
    return file.getvalue()


def write_parquet(
    path: Path, images: np.ndarray, labels: list[int], metadata: bytes | None = None, **names: str
) -> None:
    """Images (n, H, W, 3) or (n, H, W) in the layout of Hugging Face. names: image and label column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": encoded(image), "path": f"{row}.png"} for row, image in enumerate(images)]
    table = pa.table({names.get("image", "img"): cells, names.get("label", "label"): pa.array(labels, pa.int64())})
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": metadata})
    pq.write_table(table, path, row_group_size=3)
