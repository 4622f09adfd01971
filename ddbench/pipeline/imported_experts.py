"""Expert buffers that came from elsewhere, in the place where a recipe looks for its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ddbench.data import RealSet
from ddbench.data.preprocessing import WHITENED
from ddbench.errors import UserError
from ddbench.expert_buffers.buffer import DESCRIPTION, ExpertBuffer, read_description
from ddbench.expert_buffers.metadata import describe_buffer
from ddbench.expert_buffers.replay_buffer import import_replay_buffer
from ddbench.expert_buffers.replay_files import Wanted, replay_files, says_unwhitened, survey
from ddbench.networks import build_network
from ddbench.pipeline.dataset_sizes import DatasetFacts
from ddbench.pipeline.expert_accuracy import require_knowing
from ddbench.pipeline.jobs import BufferSpec


def import_experts(
    files: list[Path],
    need: BufferSpec,
    network: str,
    preprocessing: str,
    facts: DatasetFacts,
    load: Callable[[], RealSet],
    *,
    scored: bool = True,
) -> ExpertBuffer:
    """Import replay buffers into the folder in which a recipe's runs will look.

    Files are looked through before the images are loaded, for fitting a whitening takes minutes.

    Args:
        files: As ``replay_files`` takes them.
        need: The buffer that the recipe wants.
        network: The recipe's network.
        preprocessing: The recipe's, by its kind.
        facts: Size and classes of the images.
        load: Loads the recipe's data.
        scored: Whether a few experts must know the training images.

    Returns:
        The buffer with all imported experts.

    Raises:
        UserError: When experts lie there already, a file is not what it should be, its path says that the experts saw
            no whitened images and the recipe whitens, or the experts know nothing of the images.
    """
    if (need.folder / DESCRIPTION).exists():
        raise UserError(
            "the recipe has experts already",
            f"in    {need.folder}",
            fix="delete that folder to use the imported ones instead, or import under another --home",
        )
    paths = replay_files(files)
    _require_whitening_agrees(paths, preprocessing)
    module = build_network(network, facts.shape, seed=0)
    shapes = tuple((name, tuple(tensor.shape)) for name, tensor in module.named_parameters())
    content = survey(paths, Wanted(network=network, parameters=shapes))
    real = load()
    about = {"scored": scored, "accuracy": require_knowing(content.last, real, network) if scored else None}
    return import_replay_buffer(paths, need.folder, describe_buffer(real, network, None, None), about)


def _require_whitening_agrees(paths: list[Path], preprocessing: str) -> None:
    """Errors: UserError where a path says that the experts saw no whitened images, and the recipe whitens."""
    unwhitened = next((path for path in paths if says_unwhitened(path)), None)
    if unwhitened is not None and preprocessing in WHITENED:
        raise UserError(
            "the experts saw images without ZCA whitening, and the recipe whitens",
            f"from  {unwhitened}",
            "why   MTT's buffer.py calls the folder so",
            fix="-o preprocessing=meanstd, or give the experts of the folder without NO_ZCA",
        )


def imported_buffer(need: BufferSpec) -> ExpertBuffer | None:
    """Open the imported buffer that lies where a recipe looks for its own.

    A damaged description counts for none, for training writes it anew.

    Args:
        need: The buffer that the recipe wants.

    Returns:
        As many experts as the recipe wants; None where no imported buffer lies there.

    Raises:
        UserError: When it has too few experts or epochs: how they were trained is not known, so nobody can go on.
    """
    if not (need.folder / DESCRIPTION).is_file() or not _imported(need.folder):
        return None
    whole = ExpertBuffer.open(need.folder)
    whole.require_epochs(need.epochs)
    if len(whole) < need.recipe.count:
        raise UserError(
            f"{len(whole)} experts were imported, and the recipe asks for {need.recipe.count}",
            f"in    {need.folder}",
            fix=f"-o experts.count={len(whole)}",
        )
    return ExpertBuffer.open(need.folder, range(need.recipe.count))


def imported_experts(need: BufferSpec, load: Callable[[], RealSet], network: str) -> ExpertBuffer | None:
    """Open an imported buffer as ``imported_buffer`` does, and check it against the recipe's data.

    Args:
        need: The buffer that the recipe wants.
        load: Loads the recipe's data; called only where such a buffer lies there.
        network: The recipe's network.

    Returns:
        The buffer; None where no imported one lies there.

    Raises:
        UserError: Also when it is of other data or another network.
    """
    buffer = imported_buffer(need)
    if buffer is not None:
        buffer.require_match(describe_buffer(load(), network, None, None))
    return buffer


def _imported(folder: Path) -> bool:
    """Whether the experts came from elsewhere. Not so where the description is damaged: training writes it anew."""
    try:
        return read_description(folder).seed is None
    except UserError:
        return False
