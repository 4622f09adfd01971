"""Recipes as the tests of what they ask for write them, and the jobs that come out."""

import pytest

from ddbench.errors import UserError
from ddbench.pipeline.jobs import jobs_of
from ddbench.recipe.recipe import load_recipe
from helpers.command_line import written

ENTRY = """\
    iterations: 4
    inner_steps: 3
    max_start_epoch: 2
    image_lr: 10
    augmentation: none
"""

HEAD = """\
dataset: digits
network: convnet-d1-w4
ipc: [1, 10]
experts: {count: 2, lr: 0.02}
methods:
"""


def text_of(*labels, more=""):
    """A recipe of these methods with equal settings; ``more`` goes to its end, at the top level."""
    own = {label: "" if label in ("random", "herding") else ENTRY for label in labels}
    return HEAD + "".join(f"  {label}:\n{entry}" for label, entry in own.items()) + more


def jobs(folder, text, *overrides):
    loaded = load_recipe(str(written(folder, text, "my.yaml")), list(overrides))
    return jobs_of(loaded, "convnet-d1-w4", folder)


def by_label(found):
    """Jobs by label, where each has one at every ipc: the first."""
    return {job.label: job for job in reversed(found)}


def line_of(text, start):
    """The number, from 1, of the one line that begins with this, spaces aside."""
    (number,) = [n for n, line in enumerate(text.splitlines(), start=1) if line.strip().startswith(start)]
    return number


def refusal(folder, text, *overrides):
    with pytest.raises(UserError) as caught:
        jobs(folder, text, *overrides)
    return str(caught.value)
