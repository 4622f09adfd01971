"""The leaderboard page with rows of graphs: ranked by ROC-AUC, said to be so, beside what needs no learning."""

import json
import re

import pytest
from helpers import page_visits
from helpers.evaluation_makers import make_tiny_row
from helpers.page_makers import graph_rows, some_rows, tiny_picture
from helpers.page_reader import Reader, read
from test_page_readers import CONTRAST

from ddbench.evaluate.leaderboard.page import page
from ddbench.evaluate.leaderboard.page.page_rows import page_rows
from ddbench.evaluate.leaderboard.ranking import leaderboard

ROWS = graph_rows((1, 5))
MIXED = [*some_rows(), *ROWS]

chromium, visit = page_visits.chromium, page_visits.visit


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "graphs.html"
    path.write_text(page(MIXED, {"mirage-5": tiny_picture()}), encoding="utf-8")
    return path


class TestRanks:
    def test_as_the_leaderboard_has_them_whatever_the_accuracy(self):
        lines = page_rows(MIXED, {})
        table = leaderboard(MIXED)
        assert table["label"].tolist() == [line.row.label for line in lines]
        assert table["best"].tolist() == [line.best for line in lines]
        high = make_tiny_row(domain="graphs", roc_auc=(0.6, 0.6), accuracy=(0.9, 0.9), label="accurate")
        better = make_tiny_row(domain="graphs", roc_auc=(0.7, 0.7), accuracy=(0.5, 0.5), label="ranks better")
        assert [(line.row.label, line.rank) for line in page_rows([high, better], {})] == [
            ("ranks better", 1),
            ("accurate", 2),
        ]

    def test_what_needs_no_learning_is_ranked_and_marked(self):
        body = [cells for cells in read(ROWS).cells if cells and cells[0].startswith("node-count")]
        assert body[0][0] == "node-count no learning" and body[0][3] == "★ 1 of 5"
        assert not [words for words in read(some_rows()).words if "no learning" in words]


class TestSaid:
    def test_by_one_measure_or_two(self):
        for rows, head, cell, title in (
            (some_rows(), "Accuracy, %", r"\d\d\.\d( ± \d+\.\d)?", "Accuracy against images per class"),
            (ROWS, "ROC-AUC, %", r"\d\d\.\d( ± \d\.\d)?", "ROC-AUC against IPC"),
            (MIXED, "Score, %", r"(ROC-AUC )?\d\d\.\d( ± \d+\.\d)?", "Accuracy or ROC-AUC against IPC"),
        ):
            reader = read(rows)
            assert reader.cells[0][1] == head and title in reader.words
            cells = [cells[1] for cells in reader.cells[1 : len(rows) + 1]]
            assert all(re.fullmatch(cell, said) for said in cells)
        assert sum(said.startswith("ROC-AUC") for said in cells) == len(ROWS)

    def test_no_word_of_it_where_there_are_no_graphs(self):
        text = page(some_rows())
        outside = text[: text.index('<script type="application/json"')]
        assert "ROC" not in outside and "graph" not in outside

    def test_every_measure_of_every_network(self):
        row = make_tiny_row(
            domain="graphs", roc_auc=(0.6, 0.7), accuracy=(0.5, 0.75), items=7, steps=2000, charged={"graphs": 318}
        )
        reader = read([row])
        assert ["Seed", "ROC-AUC, %", "Accuracy, %"] in reader.cells
        assert ["0", "60.00", "50.00"] in reader.cells and ["1", "70.00", "75.00"] in reader.cells
        assert ["graphs", "318 B"] in reader.cells
        for words in (
            "ROC-AUC 65.0 ± 5.0 %, mean and population standard deviation over the evaluation seeds",
            "accuracy 62.5 ± 12.5 %",
        ):
            assert words in reader.words
        for words in ("Every ROC-AUC and accuracy", "As the method's paper counts:", "Items", "7", "2000"):
            assert words in reader.words
        assert "Labels for an image" not in reader.words and "Labels for an image" in read(some_rows()).words

    def test_no_set_no_choice_no_rate(self):
        alone = [row for row in ROWS if row.method == "edge-count"]
        words = read(alone).words
        assert "Stands beside" in words and "Evaluated on" not in words
        assert not {"Synthetic set", "Chosen by", "Rate chosen by"} & set(words)

    def test_pictures_are_of_sets(self):
        reader = read(ROWS, {"mirage-5": tiny_picture()})
        (image,) = reader.of("img")
        assert image["alt"] == "Synthetic graphs of mirage for tu-NCI1, ipc 5, class by class"
        assert "3 of 4 sets have no picture here" in " ".join(reader.words)
        assert any(re.search(r"\d % ROC-AUC on ", words) for words in reader.words)

    def test_by_network(self):
        text = page(ROWS)
        start = text.index('class="matrices"')
        matrix = Reader("<div " + text[start : text.index("</section>", start)])
        assert "tu-NCI1" in matrix.words and " · ROC-AUC" in matrix.words
        means = {cells[0]: cells[-1] for cells in matrix.cells[1:6]}
        assert means["node-count no learning"] == "68.1" and list(means)[0] == "node-count no learning"

    def test_in_the_data(self):
        records = json.loads(read(MIXED).raw["data"])["rows"]
        for record in records:
            scores = record["row"]["roc_auc"] or record["row"]["accuracy"]
            assert record["mean"] == pytest.approx(sum(scores) / len(scores))
            assert record["no_learning"] == (record["row"]["method"] in ("node-count", "edge-count", "label-histogram"))


@pytest.mark.slow
class TestCharts:
    def test_axes_say_what_they_show(self, visit):
        tab = visit("#dataset=tu-NCI1")
        for chart in ("#curves svg", "#cost .charts svg"):
            assert tab.locator(f"{chart} >> nth=0").locator("text.name").first.text_content() == "ROC-AUC, %"
        assert "items of a class" in tab.locator("#curves svg").first.text_content()
        tab.locator("[name=ipc]").select_option("5")
        assert "ROC-AUC, %" in tab.locator("#curves svg").first.text_content()
        assert tab.locator("#cost .charts svg").first.get_by_text("ROC-AUC against time", exact=False).count()
        tab.locator("[name=dataset]").select_option("digits")
        tab.locator("[name=ipc]").select_option("")
        assert tab.locator("#curves text.name").first.text_content() == "accuracy, %"

    def test_marks_tell_of_both_measures_and_of_no_learning(self, visit):
        tab = visit("#dataset=tu-NCI1&ipc=5&network=gcn-sum")
        meanings = tab.locator("#curves .mark title").all_text_contents()
        assert any(re.fullmatch(r"mirage, ipc 5: ROC-AUC .* %, accuracy .* % over 3 seeds", said) for said in meanings)
        assert any(said.startswith("node-count, no learning, ipc 5: ROC-AUC 68.1") for said in meanings)
        assert tab.locator("#curves .seed").count() == 3 * 2 + 3

    def test_a_line_at_the_best_without_learning(self, visit):
        for chart in ("curves", "cost"):
            tab = visit("#dataset=tu-NCI1&network=gin-sum")
            line = tab.locator(f"#{chart} line.floor")
            assert line.count() == 1 and "node-count" in line.locator("title").text_content()
            context = float(line.get_attribute("y1"))
            mark = (
                tab.locator(f"#{chart} .charts .mark", has_text="node-count")
                .locator("polygon, circle")
                .first.bounding_box()
            )
            box = tab.locator(f"#{chart} .charts svg").bounding_box()
            assert abs(box["y"] + context - (mark["y"] + mark["height"] / 2)) < 3
        tab = visit("#dataset=tu-NCI1&ipc=5&network=gin-sum")
        assert tab.locator("#curves line.floor").count() == 1
        assert visit("#dataset=digits").locator("line.floor").count() == 0

    def test_bytes_as_papers_count(self, visit):
        tab = visit("#dataset=tu-NCI1&ipc=5&network=gcn-sum&cost=charged")
        assert "bytes as the methods' papers count" in tab.locator("#cost .charts svg").text_content()
        meanings = tab.locator("#cost .charts .mark title").all_text_contents()
        assert any(said.startswith("mirage") and said.endswith(", 320 B") for said in meanings)
        assert any(said.startswith("random-graphs") and said.endswith(", 170 B") for said in meanings)

    def test_bytes_as_papers_count_are_not_asked_for_without_need(self, visit, tmp_path):
        path = tmp_path / "plain.html"
        path.write_text(page(some_rows()), encoding="utf-8")
        assert visit("", path).locator("#cost option").count() == 3
        assert visit("#cost=charged", path).locator("#cost .charts svg").count()

    def test_a_row_of_graphs_opened(self, visit):
        tab = visit("#dataset=tu-NCI1&ipc=5&network=gcn-sum")
        tab.get_by_role("button", name="mirage").click()
        panel = tab.locator("tr.opened")
        assert "Every ROC-AUC and accuracy" in panel.inner_text() and "Synthetic graphs" in panel.inner_text()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_contrast(self, visit, scheme):
        tab = visit("#dataset=tu-NCI1&ipc=5", color_scheme=scheme)
        tab.locator("button.open:visible").first.click()
        tab.mouse.move(0, 0)
        assert tab.evaluate(CONTRAST) == []

    @pytest.mark.parametrize("width", [320, 390, 768, 1100, 1280])
    def test_no_sideways_scrolling_of_the_page(self, visit, width):
        tab = visit("#dataset=tu-NCI1", viewport={"width": width, "height": 800}, is_mobile=width < 700)
        tab.locator("button.open:visible").first.click()
        assert tab.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
