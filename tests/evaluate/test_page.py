"""The leaderboard page as a file: whole, escaped, within its bounds, and asking nothing of any network."""

import base64
import hashlib
import json
import re
from dataclasses import asdict

import pytest
import yaml
from helpers.evaluation_makers import PRINTABLE, make_tiny_row
from helpers.page_makers import HOSTILE, hostile_rows, some_rows, tiny_picture
from helpers.page_reader import Reader, read
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.evaluate.leaderboard.page import PICTURE_BYTES, PICTURES_BYTES, page, row_key
from ddbench.evaluate.leaderboard.page.page_rows import page_rows, plain
from ddbench.evaluate.leaderboard.published import published_numbers
from ddbench.evaluate.leaderboard.ranking import leaderboard


def names(reader):
    return {tag for tag, _ in reader.elements} | {key for _, attributes in reader.elements for key in attributes}


class TestWhole:
    def test_json_equals_the_rows(self):
        rows = some_rows()
        data = read(rows).data
        found = [
            {**record["row"], "recipe": data["recipes"].get(record["row"]["recipe"], {})} for record in data["rows"]
        ]
        order = [json.dumps(plain(asdict(row)), sort_keys=True) for row in rows]
        assert sorted(json.dumps(row, sort_keys=True) for row in found) == sorted(order)
        assert len({record["key"] for record in data["rows"]}) == len(rows)
        assert len(data["recipes"]) < len(rows)

    def test_ranks_agree_with_the_leaderboard(self):
        rows = some_rows()
        table = leaderboard(rows)
        lines = page_rows(rows, {})
        keys = ["dataset", "protocol", "network", "lr_policy", "ipc", "label"]
        assert table[keys].to_numpy().tolist() == [[line.entry[key] for key in keys] for line in lines]
        assert table["best"].tolist() == [line.best for line in lines]
        oracle = next(line for line in lines if line.oracle)
        assert oracle.rank is None and oracle.row.accuracy_mean == max(row.accuracy_mean for row in rows)

    def test_equal_means_share_a_rank(self):
        rows = [
            make_tiny_row(label=name, accuracy=(value, value))
            for name, value in zip("abc", (0.5, 0.7, 0.7), strict=True)
        ]
        assert [(line.row.label, line.rank) for line in page_rows(rows, {})] == [("b", 1), ("c", 1), ("a", 3)]

    def test_the_table_is_complete_without_a_script(self):
        get_teachers: dict = {"teachers": {"resnet18": 2_000_000}, "teachers_fingerprint": "7eac4e25"}
        row = make_tiny_row(accuracy=(0.5, 0.75), **get_teachers, lr=0.02, pool="mtt-pool", note="a note")
        less = make_tiny_row(label="less", accuracy=(0.4, 0.4), **get_teachers)
        reader = read([row, less], paths={row_key(row): "results/it's.json"})
        body = [cells for cells in reader.cells if cells and cells[0] == "mtt"]
        assert body[0][:5] == ["mtt", "62.5 ± 12.5", "none known", "★ 1 of 2", "digits"]
        said = " ".join(reader.words)
        for fact in (
            "50.00",
            "75.00",
            "93e",
            "4ea1",
            "5e7",
            "2.15.0",
            "a processor (2 threads)",
            "ddbench 0.1.0",
            "41 s",
        ):
            assert fact in said
        assert "Teacher resnet18, apart" in said and "2.0 MB" in said and "23.6" in said and "a note" in said
        assert "ddbench verify 'results/it'\"'\"'s.json'" in said and "ddbench verify ROW.json" in said
        assert yaml.safe_load(next(words for words in reader.words if words.startswith("dataset:"))) == row.recipe
        recipe = next(attributes["href"] for attributes in reader.of("a") if attributes.get("class") == "recipe")
        assert recipe and recipe[1:] in reader.ids

    def test_every_link_and_label_has_its_target(self):
        reader = read(some_rows())
        assert len(reader.ids) == len(set(reader.ids))
        targets = [attributes["href"] for attributes in reader.of("a")]
        targets += [
            f"#{attributes[key]}" for _, attributes in reader.elements for key in attributes if key == "aria-labelledby"
        ]
        assert {target[1:] for target in targets if target} <= set(reader.ids)

    @pytest.mark.parametrize("rows", [[], [make_tiny_row()] * 2, [make_tiny_row(bytes={}, recipe={}, student=None)]])
    def test_few_rows(self, rows):
        assert len(read(rows).data["rows"]) == len(rows)

    def test_published_marks_of_methods_with_and_without_rows(self):
        marks = read(some_rows()).data["published"]
        assert {"mtt", "dm"} <= {mark["method"] for mark in marks}
        wanted = {("cifar10", "convnet-d3"), ("cifar10", "vgg11"), ("cifar10", "resnet18")}
        known = [number for number in published_numbers().values() if (number.dataset, number.network) in wanted]
        assert len(marks) == len(known)
        jpeg = read([make_tiny_row(dataset="cifar10-jpeg", network="convnet-d3")]).data["published"]
        assert jpeg and {mark["dataset"] for mark in jpeg} == {"cifar10-jpeg"}

    def test_methods_by_network(self):
        text = page(some_rows())
        start = text.index('class="scroll matrix"') - 5
        matrix = Reader(text[start : text.index("</table>", start)] + "</table></div>")
        head, *body = matrix.cells
        assert head == ["Method", "convnet-d3", "resnet18", "vgg11", "Mean of 3"]
        assert [row[0] for row in body] in (["mtt", "datm"], ["datm", "mtt"])
        by_method = {row[0]: row for row in body}
        assert by_method["datm"][3:] == ["not measured", "incomplete"]
        assert re.fullmatch(r"\d\d\.\d", by_method["mtt"][4])
        assert "No method has rows on several networks" in page([make_tiny_row()])


class TestAlone:
    def test_nothing_is_fetched_and_the_policy_says_so(self):
        text = page(some_rows(), {"mtt-digits-1-None": tiny_picture()})
        reader = Reader(text)
        assert not re.search(r"""(?:src|href|url|import)\s*[=(]\s*["']?(?:https?:)?//""", text)
        for _, attributes in reader.elements:
            for key in ("src", "href", "action", "srcset"):
                assert (attributes.get(key) or "#").startswith(("#", "data:"))
        policy = next(a["content"] for a in reader.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
        assert policy and policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
        for kind in ("style", "script"):
            digest = base64.b64encode(hashlib.sha256(reader.raw[kind].encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy
        attributes = {key for _, attributes in reader.elements for key in attributes}
        assert not [key for key in attributes if key.startswith("on") or key == "style"]

    def test_size(self):
        rows = some_rows()
        one, many = len(page(rows[:1])), len(page(rows))
        assert many < 250_000 and (many - one) / (len(rows) - 1) < 9_000

    def test_scripts_and_style_are_plain(self):
        text = page([])
        assert "innerHTML" not in text and "eval(" not in text and "document.write" not in text


class TestHostile:
    def test_texts_stay_texts(self):
        calm = [make_tiny_row(label=f"calm {number}", teachers={"a": 1}, note="x") for number in range(len(HOSTILE))]
        reader = read(hostile_rows())
        assert names(reader) <= names(read(calm))
        assert len(reader.of("script")) == 2 and len(reader.of("img")) == 0
        said = "".join(reader.words)
        assert HOSTILE[0] in said and HOSTILE[1] in said and HOSTILE[2] in said
        kept = [record["row"]["note"] for record in reader.data["rows"]]
        assert sorted(kept) == sorted(HOSTILE)
        page(hostile_rows()).encode("utf-8")

    def test_nothing_in_the_json_ends_its_element(self):
        text = page(hostile_rows())
        start = text.index('id="data">') + len('id="data">')
        inside = text[start : text.index("</script>", start)]
        assert json.loads(inside)["rows"] and not set("<>&\u2028\u2029") & set(inside)

    @settings(max_examples=25, deadline=None)
    @given(st.text(PRINTABLE, max_size=30), st.text(PRINTABLE, max_size=30))
    def test_any_text(self, label, note):
        row = make_tiny_row(label=label, note=note, recipe={"a": label})
        reader = read([row], paths={row_key(row): note})
        assert reader.data["rows"][0]["row"]["label"] == label

    def test_a_command_can_not_be_smuggled_in(self):
        row = make_tiny_row()
        reader = read([row], paths={row_key(row): "x.json; rm -rf ~"})
        assert "ddbench verify 'x.json; rm -rf ~'" in reader.words


class TestPictures:
    def test_each_set_once_with_its_words(self):
        rows = [
            make_tiny_row(synthetic_sha256="a"),
            make_tiny_row(synthetic_sha256="a", network="vgg11"),
            make_tiny_row(),
        ]
        reader = read(rows, {"a": tiny_picture()})
        (image,) = reader.of("img")
        assert image["src"] == "data:image/png;base64," + base64.b64encode(tiny_picture()).decode()
        assert image["alt"] and "mtt" in image["alt"] and "ipc 1" in image["alt"]
        assert "1 of 2 sets have no picture here" in " ".join(reader.words)

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
    def test_kinds(self, kind):
        (image,) = read([make_tiny_row()], {"5e7": tiny_picture(kind)}).of("img")
        assert image["src"] and image["src"].startswith(f"data:image/{kind.lower()};")

    def test_svg_is_no_picture(self):
        with pytest.raises(ValueError, match="PNG"):
            page([make_tiny_row()], {"5e7": b"<svg onload=alert(1)>"})

    def test_too_large_and_too_many_are_left_out_and_said(self):
        rows = [make_tiny_row(synthetic_sha256=str(number)) for number in range(110)]
        large = tiny_picture() + bytes(PICTURE_BYTES - len(tiny_picture()))
        reader = read(rows, {str(number): large for number in range(110)})
        assert len(reader.of("img")) == PICTURES_BYTES // PICTURE_BYTES == 100
        assert "10 pictures were left out" in " ".join(reader.words)
        assert not read(rows[:1], {"0": large + b"x"}).of("img")
