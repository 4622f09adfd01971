"""A feed that reads its split ahead from the disk: the same bits, in bounded memory."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from helpers.command_line import ENVIRONMENT
from helpers.expert_data import tiny_real
from hypothesis import given
from hypothesis import strategies as st

from ddbench.data.decode import open_images
from ddbench.data.loader import ImageLoader, loader_bytes
from ddbench.data.realset import Split
from ddbench.randomness import stream
from ddbench.training.epoch import consecutive_batches, shuffled_batches


def mapped_real(folder, images=70):
    """A set whose training images lie in a file that is memory-mapped."""
    shape = (images, 1, 8, 8)
    path = folder / "images.npy"
    np.save(path, torch.randint(0, 256, shape, dtype=torch.uint8, generator=stream(0, "pixels")).numpy())
    mapped = open_images(path, shape)
    return tiny_real(train=Split(mapped, torch.arange(images) % 3))


def orders(loader):
    yield list(shuffled_batches(len(loader), 16, stream(1, "order")))
    yield list(consecutive_batches(len(loader), 32))
    yield [torch.tensor([3, 3, 0])]
    yield []


def test_read_ahead_is_read_in_turn_to_the_bit(tmp_path):
    real = mapped_real(tmp_path)
    streaming, kept = ImageLoader(real, real.train, "cpu", 0), ImageLoader(real, real.train, "cpu")
    assert streaming.streams and not kept.streams
    for order in orders(streaming):
        found = list(streaming.batches(order))
        assert len(found) == len(order)
        for rows, (inputs, labels), (once, same) in zip(order, found, kept.batches(order), strict=True):
            expected, classes = streaming[rows]
            assert torch.equal(inputs, expected) and torch.equal(labels, classes)
            assert torch.equal(inputs, once) and torch.equal(labels, same)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 99))
def test_any_batches_of_any_split(images, batch, seed):
    real = tiny_real(images=max(images, 3))
    loader = ImageLoader(real, real.train, "cpu", 0)
    order = list(shuffled_batches(len(loader), batch, stream(seed, "order")))
    assert all(
        torch.equal(inputs, loader[rows][0]) for rows, (inputs, _) in zip(order, loader.batches(order), strict=True)
    )


def test_one_batch_is_read_while_another_is_used_and_no_more(tmp_path, monkeypatch):
    real = mapped_real(tmp_path)
    loader = ImageLoader(real, real.train, "cpu", 0)
    begun, readers = [], set()
    read = loader._read

    def noted(rows):
        begun.append(rows)
        readers.add(threading.current_thread().name)
        return read(rows)

    monkeypatch.setattr(loader, "_read", noted)
    order = list(consecutive_batches(len(loader), 10))
    for used, _ in enumerate(loader.batches(order), start=1):
        assert len(begun) <= min(used + 1, len(order))
    assert len(begun) == len(order) and len(readers) == 1 and threading.current_thread().name not in readers


def test_an_epoch_that_is_broken_off_ends_its_reader(tmp_path):
    real = mapped_real(tmp_path)
    loader = ImageLoader(real, real.train, "cpu", 0)
    batches = loader.batches(consecutive_batches(len(loader), 5))
    next(batches)
    batches.close()
    assert not any(thread.name.startswith("read ahead") for thread in threading.enumerate())


def test_an_error_of_reading_reaches_who_asked(tmp_path):
    real = mapped_real(tmp_path)
    loader = ImageLoader(real, real.train, "cpu", 0)
    with pytest.raises(IndexError):
        list(loader.batches([torch.tensor([0]), torch.tensor([70])]))


def test_what_a_feed_keeps_of_its_own():
    assert loader_bytes(50_000, 3072) == 4 * 50_000 * 3072
    assert loader_bytes(1_281_167, 3 * 64 * 64) == 0, "ImageNet stays in its file"


CHILD = """
import sys, numpy as np, torch
torch.set_num_threads(1)
from pathlib import Path
from helpers.expert_data import tiny_real
from ddbench.data.decode import open_images
from ddbench.data.realset import Split
from ddbench.data.loader import ImageLoader
from ddbench.randomness import stream
from ddbench.training.epoch import shuffled_batches

def own():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024

shape = (400_000, 3, 64, 64)
path = Path(sys.argv[1])
np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()  # a file of holes
images = open_images(path, shape)
real = tiny_real(train=Split(images, torch.arange(shape[0]) % 3))
feed = ImageLoader(real, real.train, "cpu")
assert feed.streams
order = list(shuffled_batches(len(feed), 256, stream(0, "order")))
highest = before = None
for number, (inputs, labels) in enumerate(feed.batches(order[:60])):
    if number == 4:
        before = own()
    if number > 4:
        highest = max(highest or 0, own())
print(highest - before, images.numel())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what a process holds")
def test_memory_does_not_grow_with_what_is_read(tmp_path):
    """A split of 4.9 GB, of which a sixth of an epoch is read: what the process itself holds stays as it was."""
    path = f"{ENVIRONMENT['PYTHONPATH']}:{ENVIRONMENT['PYTHONPATH']}/tests"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "images.npy")],
        # glibc gives every large block back at once, so that what is held is what is live, whichever thread was first
        env={**ENVIRONMENT, "PYTHONPATH": path, "MALLOC_MMAP_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    grown, whole = map(int, done.stdout.split())
    batch = 256 * 3 * 64 * 64
    assert whole == 400_000 * 3 * 64 * 64
    assert grown < 8 * batch, "two batches of bytes, and the floats of one and a half"
