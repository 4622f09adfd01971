"""The leaderboard page for every reader: charts with words, keyboard, dark mode, contrast, phone, print, no script."""

import pytest
from helpers import page_visits
from helpers.page_visits import ROWS, shown

chromium, file, visit = page_visits.chromium, page_visits.file, page_visits.visit


@pytest.mark.slow
class TestCharts:
    def test_they_are_pictures_with_words(self, visit):
        tab = visit()
        assert tab.get_by_role("img", name="cifar10 · mtt-v1 · convnet-d3", exact=True).count() == 1
        words = tab.locator("#curves desc").first.text_content()
        assert "mtt:" in words and "at ipc 50" in words and "table" in words
        assert tab.evaluate(
            "[...document.querySelectorAll('.charts svg')].every(s => s.getAttribute('aria-labelledby').split(' ')"
            ".every(id => s.querySelector('#' + id)))"
        )

    def test_every_row_has_its_mark_and_error_bar(self, visit):
        tab = visit()
        keys = tab.evaluate("[...document.querySelectorAll('#curves .mark[data-key]')].map(m => m.dataset.key)")
        assert len(keys) == len(set(keys)) == len(ROWS)
        assert tab.locator("#curves line.bar:not(.hollow)").count() == len(ROWS)
        assert tab.locator("#cost .charts .mark[data-key]").count() == len(ROWS)

    def test_published_marks_are_hollow_and_may_be_hidden(self, visit):
        tab, hollow = visit("#dataset=cifar10"), "#curves .mark.hollow"
        some = tab.locator(hollow).count()
        tab.locator("[name=published]").select_option("all")
        assert tab.locator(hollow).count() > some > 0
        tab.locator("[name=published]").select_option("none")
        assert tab.locator(hollow).count() == 0

    def test_the_pareto_front(self, visit):
        tab = visit("#dataset=digits&ipc=1")
        words = tab.locator("#cost desc").text_content()
        honest = sorted(
            (row for row in ROWS if row.dataset == "digits" and row.ipc == 1 and row.selection != "oracle"),
            key=lambda row: row.seconds,
        )
        front = [
            row.label
            for number, row in enumerate(honest)
            if row.accuracy_mean > max([0, *(r.accuracy_mean for r in honest[:number])])
        ]
        assert [
            part.split(" at ipc")[0]
            for part in words.removeprefix("On the Pareto front: ").split(". The")[0].split("; ")
        ] == front

    def test_no_two_names_of_curves_overlap(self, visit):
        tab = visit("#published=all")
        boxes = tab.evaluate(
            "[...document.querySelectorAll('#curves svg')].map(s => [...s.querySelectorAll('text.label')]"
            ".map(t => t.getBoundingClientRect()).map(b => [b.top, b.bottom, b.left, b.right]))"
        )
        assert sum(map(len, boxes)) > 20
        for chart in boxes:
            for above, below in zip(sorted(chart), sorted(chart)[1:], strict=False):
                assert below[0] - above[0] > 10


@pytest.mark.slow
class TestReaders:
    def test_by_keyboard_alone(self, visit):
        tab = visit()
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.textContent") == "Skip to the table"
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.id") == "rows"
        reached = []
        for _ in range(20):
            tab.keyboard.press("Tab")
            reached.append(tab.evaluate("document.activeElement.textContent"))
            if reached[-1] == "Rank":
                break
        assert reached[-4:] == ["Method", "Accuracy, %", "Published, %", "Rank"]
        outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        tab.keyboard.press("Enter")
        assert tab.get_by_role("columnheader", name="Rank").get_attribute("aria-sort") == "ascending"
        tab.keyboard.press("Space")
        assert tab.get_by_role("columnheader", name="Rank").get_attribute("aria-sort") == "descending"
        for _ in range(9):
            tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "open"
        tab.keyboard.press("Space")
        assert tab.locator("tr.opened:visible").count() == 1
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.textContent") == "Copy"
        tab.keyboard.press("Escape")
        assert tab.locator("tr.opened").count() == 0
        assert tab.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"

    @pytest.mark.parametrize("asked", ["light", "dark"])
    def test_dark_mode_as_the_system_asks_and_by_hand(self, visit, asked):
        tab = visit(color_scheme=asked)
        light = "rgb(255, 255, 255)"

        def is_dark():
            return tab.evaluate("getComputedStyle(document.body).backgroundColor") != light

        button = tab.get_by_role("button", name="Dark")
        assert is_dark() == (asked == "dark") == (button.get_attribute("aria-pressed") == "true")
        button.click()
        assert is_dark() == (asked == "light") == (button.get_attribute("aria-pressed") == "true")
        tab.reload()
        assert is_dark() == (asked == "light")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_contrast(self, visit, scheme):
        tab = visit("#dataset=digits&published=all", color_scheme=scheme)
        tab.locator("button.open:visible").first.click()
        tab.mouse.move(0, 0)
        poor = tab.evaluate(CONTRAST)
        assert poor == []

    @pytest.mark.parametrize("width", [320, 390, 768, 1100, 1280])
    def test_no_sideways_scrolling_of_the_page(self, visit, width):
        tab = visit(viewport={"width": width, "height": 800}, is_mobile=width < 700, has_touch=width < 700)
        tab.locator("button.open").first.click()
        assert tab.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
        panel = tab.locator(".inside").bounding_box()
        assert panel["x"] >= 0 and panel["x"] + panel["width"] <= width

    def test_print_is_light_and_whole_and_without_controls(self, visit):
        tab = visit(color_scheme="dark", viewport={"width": 800, "height": 1000})
        tab.emulate_media(media="print", color_scheme="dark")
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert len(shown(tab)) == len(ROWS)
        for control in ("#filters", "nav", "#theme", "#curves select"):
            assert not tab.locator(control).is_visible()
        assert tab.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
        assert tab.locator("#status").is_visible()

    def test_no_motion_where_none_is_wanted(self, visit):
        tab = visit(reduced_motion="reduce")
        style = "getComputedStyle(element, '::before').transitionDuration"
        assert tab.evaluate(f"[...document.querySelectorAll('*')].every(element => {style} === '0s')")

    def test_without_a_script_all_is_there(self, visit):
        tab = visit(java_script_enabled=False)
        assert tab.locator("#board tbody tr").count() == len(ROWS)
        assert not tab.locator("#filters").is_visible() and not tab.locator("#curves").is_visible()
        tab.locator("a.open").first.click()
        key = tab.locator("#board tbody tr").first.get_attribute("data-key")
        tab.locator(f"#row-{key} > summary").click()
        assert tab.locator(f"#row-{key} .command").is_visible()


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => {
    const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = channels(color).map((channel) => linear(channel / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (channels(color)[3] === 255) return color;
    }
    return "white";
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.matches(":disabled, title, desc, option, .away")) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [more, less] = [light(ink), light(behind(element))].sort((a, b) => b - a);
    const ratio = (more + 0.05) / (less + 0.05);
    if (ratio < 4.5) poor.push(`${element.outerHTML.slice(0, 80)} ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}"""
