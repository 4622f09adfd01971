"""The leaderboard as methods against images per class, in hand-computed tables."""

from helpers.command_line import written
from helpers.evaluation_makers import make_tiny_row
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.evaluate.leaderboard.render import render

CIFAR = {"dataset": "cifar10", "network": "convnet-d3", "student": "convnet-d3"}


def line(label, ipc, mean, spread=0.0, **changes):
    """A row whose mean and population deviation are these, exactly enough for one digit in percent."""
    fields = {"method": label, "label": label, "ipc": ipc, "accuracy": (mean - spread, mean + spread)}
    return make_tiny_row(**{**CIFAR, **fields, **changes})


class TestByIpc:
    """Published: MTT 46.3, 65.3, 71.6; DATM 46.9, 66.8, 76.1; random soft none."""

    ROWS = (
        line("mtt", 1, 0.46, 0.01),
        line("mtt", 10, 0.65, 0.004),
        line("mtt", 50, 0.72, 0.1),
        line("datm", 1, 0.45, 0.005),
        line("datm", 10, 0.67),
        line("datm", 50, 0.76, 0.02),
        line("random-soft", 1, 0.2, 0.01, student=None),
        line("random-soft", 10, 0.45, 0.01, student=None),
        line("random-soft", 50, 0.62, 0.01, student=None),
    )

    def test_one_line_a_method_one_column_an_ipc(self):
        assert render(self.ROWS).splitlines() == [
            "cifar10 · mtt-v1 · convnet-d3",
            "method            ipc 1               ipc 10                ipc 50",
            "datm         45.0 ± 0.5   (46.9)  67.0 ± 0.0 * (66.8)  76.0 ±  2.0 * (76.1)",
            "mtt          46.0 ± 1.0 * (46.3)  65.0 ± 0.4   (65.3)  72.0 ± 10.0   (71.6)",
            "random-soft  20.0 ± 1.0           45.0 ± 1.0           62.0 ±  1.0",
            "",
            "* highest mean of its data set, ipc, protocol and network",
            "in brackets: as printed elsewhere, sources with --format json; the protocol may differ",
            "accuracy: top-1 on the test split, mean ± population std over the evaluation seeds",
            "by ipc: accuracy in %, best mean first",
            "seeds, selection and cost: ddbench leaderboard --details",
        ]

    def test_markdown_says_the_same(self):
        lines = render(self.ROWS, "markdown").splitlines()
        assert lines[:7] == [
            "### cifar10 · mtt-v1 · convnet-d3",
            "",
            "| method | ipc 1 | ipc 10 | ipc 50 |",
            "| --- | ---: | ---: | ---: |",
            "| datm | 45.0 ± 0.5 (46.9) | 67.0 ± 0.0 * (66.8) | 76.0 ± 2.0 * (76.1) |",
            "| mtt | 46.0 ± 1.0 * (46.3) | 65.0 ± 0.4 (65.3) | 72.0 ± 10.0 (71.6) |",
            "| random-soft | 20.0 ± 1.0 | 45.0 ± 1.0 | 62.0 ± 1.0 |",
        ]

    def test_details_have_every_row_in_a_line_and_its_cost(self):
        text = render(self.ROWS, details=True)
        assert len(text.split("\n\n")[0].splitlines()) == 2 + 3 and text.count("41 s") == 9
        assert "46.3 ± 0.8 %" in text and "seconds: of distillation" in text and "--details" not in text
        assert render(self.ROWS, "markdown", details=True).count("| 41 s |") == 9

    def test_other_forms_do_not_change(self):
        for form in ("json", "csv"):
            assert render(self.ROWS, form) == render(self.ROWS, form, details=True)

    def test_one_ipc_is_shown_row_by_row(self):
        ten = [row for row in self.ROWS if row.ipc == 10]
        assert render(ten) == render(ten, details=True)

    def test_further_rows_oracles_and_gaps(self):
        """The second MTT rows stand below the first; an oracle lifts nobody and is never best."""
        more = (
            line("mtt", 10, 0.62, 0.01),
            line("mtt", 10, 0.99, selection="oracle"),
            line("ast", 50, 0.75, 0.01),
            line("cheat", 1, 0.9, selection="oracle"),
        )
        text = render([*self.ROWS, *more])
        assert text.splitlines()[1:9] == [
            "method            ipc 1               ipc 10                ipc 50",
            "datm         45.0 ± 0.5   (46.9)  67.0 ± 0.0 * (66.8)  76.0 ±  2.0 * (76.1)",
            "mtt          46.0 ± 1.0 * (46.3)  65.0 ± 0.4   (65.3)  72.0 ± 10.0   (71.6)",
            "mtt                   -           62.0 ± 1.0   (65.3)            -",
            "mtt                   -           99.0 ± 0.0 ! (65.3)            -",
            "ast                   -                    -           75.0 ±  1.0",
            "random-soft  20.0 ± 1.0           45.0 ± 1.0           62.0 ±  1.0",
            "cheat        90.0 ± 0.0 !                  -                     -",
        ]
        assert "! chosen on the test split" in text and "further lines are rows of other settings" in text
        assert "further lines" not in render(self.ROWS)

    def test_a_variant_is_not_beside_its_methods_published_figure(self):
        swept = [line("mtt-final", ipc, 0.4, method="mtt") for ipc in (1, 10)]
        lines = {row.split()[0]: row for row in render([*self.ROWS, *swept]).splitlines() if row}
        assert "(46.3)" in lines["mtt"] and "(" not in lines["mtt-final"]
        alone = render([line("mine", ipc, 0.4, method="mtt") for ipc in (1, 10)])
        assert "(46.3)" in alone

    def test_students_are_told_apart(self):
        """MTT of two students, scored on one network."""
        rows = [
            line("mtt", ipc, mean, network="alexnet", student=student)
            for student, mean in (("alexnet", 0.3), ("convnet-d3", 0.4))
            for ipc in (1, 10)
        ]
        head, first, second = render(rows).splitlines()[1:4]
        assert head.split()[:2] == ["method", "student"]
        assert first.split()[:2] == ["mtt", "convnet-d3"] and second.split()[:2] == ["mtt", "alexnet"]

    def test_blocks_choose_their_own_form(self):
        text = render([*self.ROWS, make_tiny_row(note="by hand")])
        cifar, digits, legend = text.split("\n\n")
        assert "ipc 50" in cifar and "validation" in digits and "41 s" in digits and "41 s" not in cifar
        assert "seconds: of distillation" in legend and "--details" in legend and "mtt: by hand" in legend

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from("abcd"), st.sampled_from([1, 10, 50]), st.integers(0, 1000), st.booleans()),
            min_size=1,
            max_size=14,
        )
    )
    def test_every_row_is_there_once_in_its_column(self, drawn):
        rows = [
            line(label, ipc, mean / 1000, selection="oracle" if oracle else "last")
            for label, ipc, mean, oracle in [("a", 1, 500, False), ("a", 10, 500, False), *drawn]
        ]
        lines = render(rows, "markdown").split("\n\n")[1].splitlines()
        ipcs = [int(head.split()[1]) for head in lines[0].split("|")[2:-1]]
        shown = sorted(
            (name.strip(), ipc, cell.split(" ±")[0].strip())
            for name, *cells in (text.split("|")[1:-1] for text in lines[2:])
            for ipc, cell in zip(ipcs, cells, strict=True)
            if cell.strip() != "-"
        )
        assert shown == sorted((row.label, row.ipc, f"{100 * row.accuracy_mean:.1f}") for row in rows)
        text = render(rows).split("\n\n")[0].splitlines()[1:]
        assert [one.split()[0] for one in text[1:]] == [one.split("|")[1].strip() for one in lines[2:]]


def test_on_the_command_line(ddbench, tmp_path):
    for row in TestByIpc.ROWS:
        row.save(tmp_path / "home" / "results")
    asked = ("leaderboard", "--home", tmp_path / "home")
    assert ddbench.done(*asked) == render(TestByIpc.ROWS) + "\n"
    assert ddbench.done(*asked, "--format", "markdown") == render(TestByIpc.ROWS, "markdown") + "\n"
    assert ddbench.done(*asked, "--details") == render(TestByIpc.ROWS, details=True) + "\n"
    ten = [row for row in TestByIpc.ROWS if row.ipc == 10]
    assert ddbench.done(*asked, "--ipc", 10) == render(ten, details=True) + "\n"


def test_a_run_prints_it(ddbench, tmp_path):
    asked = ("-o", "methods={random: {}, herding: {}}", "-o", "ipc=[1, 10]", "-q")
    out = ddbench.done("run", written(tmp_path), "--home", tmp_path / "home", *asked)
    title, head, *lines = out.split("\n\n")[0].splitlines()
    assert title == "digits · dc-v1 · convnet-d1-w4" and head.split() == ["method", "ipc", "1", "ipc", "10"]
    assert sorted(line.split()[0] for line in lines) == ["herding", "random"]
    assert "±" not in "".join(lines) and out.count("*") == 3, (
        "a single network has no spread; two marks and their legend"
    )
