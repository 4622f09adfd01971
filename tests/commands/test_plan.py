"""The plan: which experts, for whom, and what of them is there."""

import json

from helpers.command_line import changed, only, written

OWN = """\
    iterations: 4
    inner_steps: 3
    max_start_epoch: 2
    image_lr: 10
"""
FAMILY = f"""\
dataset: digits
network: convnet-d1-w4
ipc: [1, 10]
experts: {{count: 2, lr: 0.02, batch: 256}}
methods:
  random:
  mtt: &own
{OWN}
  ftd: *own
  datm: *own
"""


def plan(ddbench, *asked):
    return json.loads(ddbench.done("plan", *asked, "--format", "json"))


def test_methods_that_share_experts_stand_together(ddbench, tmp_path):
    found = plan(ddbench, written(tmp_path, FAMILY), "--home", tmp_path / "home")
    assert [(row["optimizer"], row["for"]) for row in found["buffers"]] == [
        ("sgd", "mtt ipc 1, 10"),
        ("gsam", "ftd ipc 1, 10; datm ipc 1, 10; random-soft ipc 1, 10"),
    ]
    assert [row["method"] for row in found["sets"]][-2:] == ["random-soft", "random-soft"]
    assert "60 fresh networks" in found["evaluation"], "FTD leaves two sets: the average and the images themselves"


def test_the_optimizer_with_what_is_not_as_by_default(ddbench, tmp_path):
    def said(optimizer):
        recipe, home = written(tmp_path, FAMILY), tmp_path / "home"
        (row,) = plan(ddbench, recipe, "--home", home, "-o", f"experts.optimizer={optimizer}")["buffers"]
        return row["optimizer"]

    assert said("{kind: gsam, rho: 0.01, alpha: 0.3}") == "gsam alpha=0.3"
    assert said("{kind: gsam, rho: 0.5, adaptive: false}") == "gsam rho=0.5 adaptive=False"
    assert said("{kind: smooth, clip: [0.5, 0.75], penalty: 0}") == "smooth clip=[0.5, 0.75] penalty=0"
    assert said("sgd") == "sgd"


def test_a_long_list_is_broken_between_methods(ddbench, tmp_path):
    sweep = "sweep: {" + ", ".join(f"variant-{n}: {{method.inner_steps: {n}}}" for n in (4, 5, 6)) + "}\n"
    recipe, home = written(tmp_path, FAMILY + sweep), tmp_path / "home"
    out = ddbench.done("plan", recipe, "--home", home, "-o", "experts.optimizer=sgd")
    lines = out.split("synthetic sets")[0].split("\nexperts\n")[1].splitlines()
    column = lines[0].index("for")
    told = [line[column:] for line in lines[2:] if line.strip()]
    assert max(map(len, told)) <= 60 and " ".join(told).count(" ipc 1, 10") == 13
    assert all(line.endswith("ipc 1, 10;") for line in told[:-1])
    assert all(len(line) < 300 for line in ddbench.done("plan", recipe, "--home", home).splitlines())


def test_as_many_experts_as_the_most_demanding_entry_wants(ddbench, tmp_path):
    recipe = changed(tmp_path, "methods:\n", "sweep: {few: {experts.count: 1}}\nmethods:\n")
    (row,) = plan(ddbench, recipe, "--home", tmp_path / "home")["buffers"]
    assert (row["experts"], row["for"]) == (2, "mtt ipc 1; mtt-few ipc 1")


def test_experts_that_are_too_short_will_be_extended(ddbench, recipe, home):
    (row,) = plan(ddbench, recipe, "--home", home)["buffers"]
    assert (row["of them there"], row["to extend"]) == (2, 0)
    asked = (recipe, "--home", home, "-o", "experts.count=3", "-o", "experts.epochs=9")
    (row,) = plan(ddbench, *asked)["buffers"]
    assert (row["experts"], row["of them there"], row["to extend"], row["epochs"]) == (3, 0, 2, 9)
    assert "to extend" in ddbench.done("plan", *asked)
    assert "to extend" not in ddbench.done("plan", recipe, "--home", home)


def test_experts_that_were_imported_are_not_extended(ddbench, recipe, finished_home, tmp_path):
    """How they were trained is not known, so nobody can go on with it, and plan says so as buffer does."""
    ddbench.done("export", only(finished_home, "buffers/*"), tmp_path / "legacy")
    home = tmp_path / "new"
    ddbench.done("import", tmp_path / "legacy", "--recipe", recipe, "--home", home)
    (row,) = plan(ddbench, recipe, "--home", home)["buffers"]
    assert (row["of them there"], row["to extend"]) == (2, 0)
    for more, said in (("experts.epochs=9", "9 epochs are needed, they have 3"), ("experts.count=3", "asks for 3")):
        refused = [ddbench.refused(command, recipe, "--home", home, "-o", more) for command in ("plan", "buffer")]
        assert refused[0] == refused[1] and said in refused[0]


def test_what_a_searched_rate_and_teachers_take_is_told(ddbench, tmp_path):
    networks = ("-o", "evaluation.lr=search", "-o", "evaluation.networks=[mlp, convnet-d1-w4]")
    asked = ("plan", written(tmp_path), "--home", tmp_path, *networks)
    teachers = ("-o", "evaluation.teachers={networks: [mlp, mlp], epochs: 7}", "-o", "evaluation.rates=[0.1, 0.2, 0.3]")
    said = ddbench.done(*asked, *teachers).splitlines()[-1]
    assert "evaluation: 4 fresh networks of 301 epochs by dc-v1, selection by last" in said
    assert "rates searched among 3 with 24 more networks" in said and "teachers mlp, mlp of 7 epochs" in said


def test_what_a_step_of_each_kind_of_expert_costs(ddbench, tmp_path):
    def row(optimizer):
        recipe, home = written(tmp_path, FAMILY), tmp_path / "home"
        (found,) = plan(ddbench, recipe, "--home", home, "-o", f"experts.optimizer={optimizer}")["buffers"]
        return found

    sgd, gsam, smooth, plain = map(row, ("sgd", "gsam", "smooth", "{kind: smooth, penalty: 0}"))
    assert [r["passes a step"] for r in (sgd, gsam, smooth, plain)] == [1, 2, 4.5, 1]
    assert sgd["peak bytes"] < gsam["peak bytes"] < smooth["peak bytes"]
    assert plain["peak bytes"] == sgd["peak bytes"]


def test_compensators_and_their_steps(ddbench, tmp_path):
    asked = ("infer-cifar10-ipc10", "--home", tmp_path / "home", "-o", "method.jobs_at_once=2")
    infer, random = plan(ddbench, *asked)["sets"]
    assert (infer["natural sets"], infer["teachers"], infer["compensators"]) == (7, 4, 28), "7 * (10 + 4) of 100"
    assert infer["steps"] == 1000 * 4 * 4, "four groups of two sets for each of four teachers"
    assert infer["peak bytes"] > 10**8 and "peak bytes" not in random


def test_fresh_networks_and_what_they_take(ddbench, tmp_path):
    networks = ("-o", "evaluation.networks=[mlp, convnet-d1-w4, mlp]")
    found = plan(ddbench, written(tmp_path), "--home", tmp_path, *networks)["networks"]
    assert [row["network"] for row in found] == ["mlp", "convnet-d1-w4"]
    assert all(row["peak bytes"] > 10**5 and row["protocol"] == "dc-v1" for row in found)
