"""Everything that is shared out among an executor's processes, done by it and by this process alone."""

from ddbench.distillation.run import run
from ddbench.evaluate.nas import rank, recipe
from ddbench.evaluate.score import score
from ddbench.evaluate.selection import select
from ddbench.methods import METHODS
from ddbench.synthetic.synthetic_set import load_synthetic
from helpers.computing import computing, under
from helpers.evaluation_makers import short, tiny_real, tiny_synthetic
from helpers.expert_data import content, tiny_recipe, train
from helpers.infer_makers import taught_task
from helpers.nas_makers import tiny_space


def experts(executor, folder):
    """Some of which are there already, or longer than needed."""
    asked = tiny_recipe(count=4, momentum=0.9)
    for name, by in (("alone", None), ("shared", executor)):
        train(folder / name, tiny_recipe(count=1, momentum=0.9), epochs=1)
        buffer = train(folder / name, asked, executor=by)
        assert len(buffer) == 4 and (buffer[3, 3] - buffer[3, 0]).norm() > 0
    return content(folder / "alone"), content(folder / "shared")


def evaluation(executor, folder):
    real = tiny_real()
    syn, asked = tiny_synthetic(real), {"protocol": short("dc-v1", epochs=4), "seeds": (5, 0, 3)}
    alone, shared = score(syn, real, **asked), score(syn, real, compute=computing(executor=executor), **asked)
    assert (shared.device is None) == (not executor.elsewhere)
    return alone.accuracy, shared.accuracy


def selection(executor, folder):
    real = tiny_real()
    found = []
    for name, by in (("alone", None), ("shared", executor)):
        for step in (1, 2, 3):
            tiny_synthetic(real, seed=step).save(folder / name / f"{step:06d}.safetensors")
        chosen = select(folder / name, "validation", real, protocol=short(), networks=2, compute=computing(executor=by))
        found.append((chosen.step, chosen.scores))
    assert len(found[0][1]) == 3
    return found


def networks(executor, folder):
    real, found = tiny_real(), []
    asked = {"space": tiny_space(), "seeds": 2, "protocol": recipe(epochs=2, augmentation="none")}
    for name, by in (("alone", None), ("shared", executor)):
        ranking = rank([tiny_synthetic(real)], real, folder=folder / name, compute=computing(executor=by), **asked)
        found.append([ranking.truth.accuracy, ranking.truth.test, [entry.scores for entry in ranking.entries]])
    return found


def compensators(executor, folder):
    """Of INFER, one job for each natural set and teacher."""
    found = []
    for name, by in (("alone", None), ("shared", executor)):
        method = METHODS.get("infer", "")(iterations=4, jobs_at_once=1)
        (path,) = run(method, under(taught_task(), executor=by), 4, folder / name, seed=5)
        assert len(list((folder / name / "jobs").glob("*.safetensors"))) >= 4
        compensation = load_synthetic(path).compensation
        assert compensation is not None and compensation.compensators.abs().sum() > 0
        found.append(compensation.compensators.tolist())
    return found


EVERYTHING = (experts, evaluation, selection, networks, compensators)
