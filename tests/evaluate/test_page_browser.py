"""The leaderboard page as its readers meet it in a real browser: the table, what a row opens, links to a view."""

import pytest
from helpers import page_visits
from helpers.page_makers import HOSTILE, hostile_rows
from helpers.page_visits import ROWS, groups, shown, status

from ddbench.evaluate.leaderboard.page import page

chromium, file, visit = page_visits.chromium, page_visits.file, page_visits.visit


@pytest.mark.slow
class TestTable:
    def test_sorting_a_result_stays_inside_groups(self, visit):
        tab = visit()
        names, before = groups(tab)
        best_first = [sorted(values, reverse=True) for values in before]
        tab.get_by_role("button", name="Network").click()
        tab.get_by_role("button", name="Distillation").click()
        assert groups(tab)[0] == names and groups(tab)[1] != best_first
        head = tab.get_by_role("columnheader", name="Accuracy, %")
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        assert groups(tab) == (names, best_first)
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        assert groups(tab) == (names, [values[::-1] for values in best_first])
        assert tab.locator("th[aria-sort]").count() == 1 and len(shown(tab)) == len(ROWS)
        assert tab.locator("tr.oracle").evaluate("row => row === row.parentElement.lastElementChild")

    def test_sorting_by_ipc_orders_groups_as_numbers(self, visit):
        tab = visit()
        tab.get_by_role("button", name="IPC").click()
        rising = [int(value) for value in shown(tab, 5)]
        tab.get_by_role("button", name="IPC").click()
        assert rising == sorted(rising) and [int(value) for value in shown(tab, 5)] == rising[::-1] and rising[-1] == 50

    def test_cells_without_a_value_come_last_both_ways(self, visit):
        tab = visit("#dataset=cifar10&ipc=50")
        for _ in range(2):
            tab.get_by_role("button", name="Published").click()
            assert [value is None for value in shown(tab, 2)] == sorted(value is None for value in shown(tab, 2))

    def test_filtering_everything_that_shows_rows(self, visit):
        tab = visit()
        assert status(tab) == f"{len(ROWS)} of {len(ROWS)} rows"
        pictures, charts = tab.locator(".pictures figure:visible"), tab.locator("#curves figure")
        assert (pictures.count(), charts.count()) == (2, 5)
        tab.locator("[name=dataset]").select_option("digits")
        wanted = sum(row.dataset == "digits" for row in ROWS)
        assert status(tab) == f"{wanted} of {len(ROWS)} rows: dataset digits"
        assert set(shown(tab, 4)) == {"digits"} and len(shown(tab)) == wanted
        assert (pictures.count(), charts.count()) == (1, 1) and not tab.locator(".matrix:visible").count()
        tab.locator("[name=method]").fill("DATM")
        assert set(shown(tab)) == {"datm"}
        tab.locator("[name=method]").fill("nothing like it")
        assert shown(tab) == [] and tab.locator("#nothing").is_visible()
        tab.get_by_role("button", name="Show all").click()
        assert len(shown(tab)) == len(ROWS) and tab.evaluate("location.hash") == ""

    def test_status_is_announced(self, visit):
        region = visit().locator("#status")
        assert region.get_attribute("role") == "status" and region.get_attribute("aria-live") == "polite"


@pytest.mark.slow
class TestProvenance:
    def test_a_row_opens_and_closes(self, visit):
        tab = visit("#dataset=digits&ipc=1")
        button = tab.locator("tr.oracle").get_by_role("button")
        button.click()
        assert button.get_attribute("aria-expanded") == "true"
        panel = tab.locator("tr.opened")
        assert panel.is_visible() and "90.00" in panel.inner_text() and "flattered" in panel.inner_text()
        button.click()
        assert button.get_attribute("aria-expanded") == "false" and panel.count() == 0

    def test_recipe_picture_and_command(self, visit):
        tab = visit("#dataset=digits&ipc=1", permissions=["clipboard-read", "clipboard-write"])
        tab.locator("tr[data-key]:not(.oracle):visible").get_by_role("button", name="mtt", exact=True).click()
        panel = tab.locator("tr.opened")
        assert panel.locator("img").count() == 1
        panel.get_by_text("The recipe, fully resolved").click()
        assert panel.locator("pre").inner_text().strip() == "dataset: digits"
        panel.get_by_role("button", name="Copy").click()
        panel.get_by_text("Copied").wait_for()
        assert tab.evaluate("navigator.clipboard.readText()") == "ddbench verify results/a.json"

    def test_a_mark_of_a_chart_opens_its_row(self, visit):
        tab = visit("#dataset=digits")
        tab.locator("#curves .mark[data-key]").first.dispatch_event("click")
        assert tab.locator("tr.opened:visible").count() == 1

    def test_it_stays_with_its_row_when_sorted_and_filtered(self, visit):
        tab = visit()
        tab.locator("button.open:visible").nth(4).click()
        tab.get_by_role("button", name="Distillation").click()
        tab.get_by_role("button", name="Method").click()
        opened = tab.locator("tr.opened")
        key = opened.get_attribute("data-of")
        assert opened.evaluate("row => row.previousElementSibling.dataset.key") == key
        tab.locator("[name=method]").fill("nothing like it")
        assert not opened.is_visible()


@pytest.mark.slow
class TestAddress:
    def test_a_link_shows_the_same(self, visit):
        tab = visit()
        tab.locator("[name=dataset]").select_option("cifar10")
        tab.locator("[name=ipc]").select_option("10")
        tab.locator("[name=method]").fill("mtt & datm?")
        tab.locator("[name=method]").fill("m")
        tab.locator("[name=published]").select_option("all")
        tab.locator("[name=cost]").select_option("bytes")
        tab.get_by_role("button", name="Stored").click()
        tab.locator("button.open:visible").first.click()
        other = visit(tab.evaluate("location.hash"))
        assert shown(other) == shown(tab) and status(other) == status(tab)
        for locator in ("tr.opened:visible", "th[aria-sort]", "#curves .mark.hollow", "#cost .mark"):
            assert other.locator(locator).count() == tab.locator(locator).count() > 0
        assert other.locator("[name=cost]").input_value() == "bytes"
        other.evaluate("location.hash = '#dataset=digits'")
        other.wait_for_function("document.querySelector('#status').textContent.endsWith('digits')")

    @pytest.mark.parametrize(
        "hash", ["#dataset=none", "#sort=-nonsense&open=x,y&cost=q&published=r", "#rows", "#row-0", "#%"]
    )
    def test_any_address_is_survived(self, visit, hash):
        tab = visit(hash)
        assert status(tab).startswith(f"{0 if 'none' in hash else len(ROWS)} of")

    def test_links_within_the_page_keep_the_view(self, visit):
        tab = visit("#dataset=digits")
        tab.get_by_role("link", name="By cost").click()
        assert tab.evaluate("location.hash") == "#dataset=digits"
        assert tab.evaluate("document.activeElement.id") == "cost"


def test_in_short(visit):
    """Sort, filter and open, in one visit, so that the fast tests have met a browser too."""
    tab = visit()
    tab.get_by_role("button", name="Accuracy, %").click()
    tab.locator("[name=dataset]").select_option("digits")
    tab.locator("button.open:visible").first.click()
    assert tab.locator("tr.opened:visible").count() == 1 and set(shown(tab, 4)) == {"digits"}
    assert tab.locator("#curves svg").count() == 1 and tab.locator("#curves svg .mark").count() == len(shown(tab))


def test_hostile_rows_do_nothing(visit, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(page(hostile_rows()), encoding="utf-8")
    tab = visit("#published=all", path)
    for button in tab.locator("button.open").all():
        button.click()
    assert tab.title() == "ddbench leaderboard"
    assert tab.locator("img, script[src], .parts svg").count() == 0
    assert len(shown(tab)) == len(HOSTILE)
    tab.locator("[name=dataset]").select_option(index=1)
    assert len(shown(tab)) == 1
