"""All readers of files against damaged ones: at least two thousand mutants, drawn from one seed.

What comes of each is one of four. Clean: one error for the user. Accepted: read, and as good as the whole file: equal
to it where checksums cover it; else, for formats without checksums (npz, YAML, row JSON, idx, TU), what is read is
within the declared bounds of its kind, and for JSON what another reader reads, key by key: that a digit of an accuracy
became another digit can not be known. Traceback: any other exception, also for lack of memory or after ten seconds.
Wrong: read, but neither equal nor within bounds. The last two must not happen.
"""

import contextlib
import io
import random
import shutil
import signal
import sys
import traceback
from collections import Counter

import pytest
from helpers import fuzz_readers
from helpers.fuzz_readers import EXACT, READERS, Reader

from ddbench.errors import UserError

SEED = 20260101
SLOW_SECONDS = 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="time and memory are bounded as on Linux"),
]
outcomes: dict[str, Counter] = {}


@pytest.fixture(autouse=True, scope="module")
def bounded_memory():
    """A reader that takes two gigabytes more than the process had fails, and the machine does not."""
    import resource

    with open("/proc/self/status") as status:
        used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2 * 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def bounded_time():
    def late(*_):
        raise TimeoutError(f"it took more than {SLOW_SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SLOW_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(reader: Reader, folder, whole) -> tuple[str, str]:
    """What comes of reading the damaged files, and the word for it."""
    try:
        with bounded_time(), contextlib.redirect_stderr(io.StringIO()):
            found = reader.read(folder)
    except UserError as error:
        long = len(str(error)) > 4000
        return ("traceback", f"an error of {len(str(error))} letters") if long else ("clean", "")
    except AssertionError as error:
        ours = traceback.extract_tb(error.__traceback__)[-1].filename == fuzz_readers.__file__
        return "wrong content" if ours else "traceback", repr(error)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "traceback", f"{type(error).__name__}: {error}"
    return ("accepted", "") if reader.promise != EXACT or found == whole else ("wrong content", "other values")


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_damaged_files_are_one_error_or_as_good_as_whole(reader, tmp_path):
    source, folder = tmp_path / "whole", tmp_path / "damaged"
    source.mkdir()
    files = [path.relative_to(source) for path in reader.make(source)]
    shutil.copytree(source, folder)
    whole = reader.read(folder)
    counts, failures = outcomes.setdefault(reader.name, Counter()), []
    for number in range(reader.count):
        dice = random.Random(f"{SEED} {reader.name} {number}")
        name = dice.choice(files)
        content = (source / name).read_bytes()
        shutil.rmtree(folder)
        shutil.copytree(source, folder)
        (folder / name).write_bytes(reader.mutate(dice, content))
        found, why = outcome(reader, folder, whole)
        counts[found] += 1
        if found in ("traceback", "wrong content"):
            failures.append(f"mutant {number} of {name}: {found}: {why}")
    assert not failures, "\n".join(failures[:10])


def test_there_were_at_least_two_thousand(capsys):
    if len(outcomes) < len(READERS):
        pytest.skip("only some readers were run")
    kinds = ("clean", "accepted", "traceback", "wrong content")
    total = sum(outcomes.values(), Counter())
    with capsys.disabled():
        print()
        for name, counts in {**outcomes, "all": total}.items():
            print(f"{name:32}", *(f"{kind} {counts[kind]:5}" for kind in kinds), sep="  ")
    assert total.total() >= 2000 and total["traceback"] == total["wrong content"] == 0
