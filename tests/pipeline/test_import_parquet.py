"""Synthetic sets from Parquet: ours, Hugging Face's image columns, and what is refused."""

import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.picture_makers import (
    NAMES,
    SIZE,
    drawn_set,
    imported,
    real_of,
)
from PIL import Image

from ddbench.errors import UserError
from ddbench.formats.export import export_set


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def real(home):
    return real_of(home)


def pixels(syn, real):
    return real.preprocessing.inverse(syn.images)


def of_classes(count, names=None, name="mine"):
    """A real set that has so many classes; only its names matter."""
    return replace(SMALL, class_names=tuple(names or map(chr, range(97, 97 + count))), name=name)


SMALL = real_of(None)


def parquet(path, columns, features=None, **types):
    metadata = None if features is None else {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(table, path)
    return path


def cells(values, channels=3):
    found = []
    for value in values:
        file = io.BytesIO()
        pixels = np.full((SIZE, SIZE, channels), value, np.uint8)
        Image.fromarray(pixels).save(file, format="PNG")
        found.append({"bytes": file.getvalue(), "path": None})
    return found


class TestParquet:
    def test_rethinkdcs_columns_sorted_by_class(self, real, tmp_path):
        classes = [2, 0, 1, 1, 2, 0]
        parquet(tmp_path / "a.parquet", {"image": cells(range(6)), "class_id": classes})
        syn = imported("parquet", tmp_path, real, lr="none")
        assert syn.labels.tolist() == [0, 0, 1, 1, 2, 2]
        shades = (pixels(syn, real)[:, 0, 0, 0] * 255).round().int().tolist()
        assert shades == [1, 5, 2, 3, 0, 4]
        assert "rows sorted by class" in syn.provenance["notes"]

    def test_names_of_classes_count_more_than_their_numbers(self, real, tmp_path):
        names = [NAMES[1], NAMES[2], NAMES[0]]
        features = {"label": {"_type": "ClassLabel", "names": names}}
        path = parquet(tmp_path / "a.parquet", {"img": cells([1, 2, 3]), "label": [0, 1, 2]}, features)
        syn = imported("parquet", path, real, lr="none")
        assert (pixels(syn, real)[:, 0, 0, 0] * 255).round().int().tolist() == [3, 1, 2]
        features["label"]["names"] = [NAMES[1], "dog", NAMES[0]]
        parquet(path, {"img": cells([1, 2, 3]), "label": [0, 1, 2]}, features)
        with pytest.raises(UserError, match="'?dog"):
            imported("parquet", path, real, lr="none")

    def test_several_files_are_one_set(self, real, tmp_path):
        for part in range(3):
            parquet(tmp_path / f"train-{part}.parquet", {"image": cells([part]), "label": [part]})
        parquet(tmp_path / "test-0.parquet", {"image": cells([9]), "label": [0]})
        assert len(imported("parquet", tmp_path, real, lr="none")) == 3
        given = [tmp_path / f"train-{part}.parquet" for part in (2, 0, 1)]
        syn = imported("parquet", given[0], real, lr="none", others=tuple(given[1:]))
        assert (pixels(syn, real)[:, 0, 0, 0] * 255).round().int().tolist() == [0, 1, 2]

    def test_soft_labels_of_unknown_kind_are_asked_for(self, real, tmp_path):
        soft = [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [0.25, 0.25, 0.5]]
        path = parquet(tmp_path / "a.parquet", {"image": cells([1, 2, 3]), "label": [1, 0, 2], "soft_label": soft})
        with pytest.raises(UserError) as asked:
            imported("parquet", path, real)
        assert "--labels" in asked.value.fix and "--lr" in asked.value.fix
        syn = imported("parquet", path, real, lr="none", labels="probabilities")
        assert syn.labels.tolist() == [soft[1], soft[0], soft[2]]

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({"image": ["a.png"] * 3, "label": [0, 1, 2]}, "no encoded images"),
            ({"picture": [1, 2, 3], "label": [0, 1, 2]}, "no image column"),
            ({"image": cells([1, 2, 3])}, "no label column"),
            ({"image": cells([1, 2, 3]), "label": [0.0, 1.0, 2.0]}, "not classes"),
            ({"image": cells([1, 2, 3]), "label": [0, 1, 3]}, "none of 0 to 2"),
            ({"image": cells([1, 2, 3]), "label": [0, 1, None]}, "missing"),
            ({"image": [*cells([1, 2]), None], "label": [0, 1, 2]}, "row 2 .* no image bytes"),
            (
                {"image": [*cells([1, 2]), {"bytes": b"GIF", "path": None}], "label": [0, 1, 2]},
                "row 2 .* not a readable",
            ),
            ({"image": cells([1, 2, 3]), "label": [0, 1, 2], "soft_label": [[1.0, 0.0]] * 3}, "one number for each"),
            ({"image": cells([1, 2, 3]), "label": [0, 1, 2], "soft_label": [1.0] * 3}, "no lists"),
            (
                {"image": cells([1, 2, 3]), "label": [0, 1, 2], "soft_label": [[float("nan"), 0.0, 0.0]] * 3},
                "nan or infinite",
            ),
        ],
    )
    def test_columns_that_can_not_be(self, real, tmp_path, columns, words):
        path = parquet(tmp_path / "a.parquet", columns)
        with pytest.raises(UserError, match=words):
            imported("parquet", path, real, lr="none", labels="probabilities")

    def test_rows_that_were_left_out(self, real, home, tmp_path):
        (file,) = export_set(drawn_set(real), tmp_path / "a.parquet", "parquet", home).files
        pq.write_table(pq.read_table(file).slice(0, 3), file)
        with pytest.raises(UserError, match="3 rows, but 6"):
            imported("parquet", file, real)

    def test_no_files(self, real, tmp_path):
        for path in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(UserError):
                imported("parquet", path, real)
