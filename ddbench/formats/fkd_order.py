"""Order of stored labels: drawn from a seed that no file records, and confirmed by the labels themselves.

SRe2L shows its images through ``torch.utils.data.RandomSampler`` over an ImageFolder, with one generator seeded with
42 (``--fkd-seed``) that goes on from epoch to epoch. Read in VILA-Lab/SRe2L at 8d00cba and in torch 2.15: the sampler
draws a second permutation in every epoch, of which it shows nothing, and which moves the generator on; samplers of old
torch 1 drew one. The size of a batch has no part in it. What is not certain is that given labels were made so: by one
process from its beginning, over the folder as it is now. Hence the check: under the right order the teacher's logits
favor the class of the image that is shown, under any other they do so no more than by chance. The check tells classes
apart, not the images of a class: where files were renamed since, the order must be said with ``--order``.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.arrays import read_npy
from ddbench.formats.class_folders import ClassListing

SAMPLERS = {"sampler": 2, "sampler-old": 1}
"""How many permutations each kind of sampler draws an epoch."""
LISTED = "listed"
_SEED = 42
_CERTAIN, _SHARE = 4.5, 0.25
"""Standard deviations above chance over all views, and of their mean agreement what each epoch must have alone."""
_WANT = "sampler:SEED (torch 2), sampler-old:SEED (torch 1), listed (not shuffled), a .pt or .npy file (epochs, images)"


def order_of_views(order_name: str | None, listing: ClassListing, logits: Tensor) -> tuple[Tensor, str]:
    """Tell which image each view shows.

    Args:
        order_name: One of the ways in _WANT; a file holds positions in ImageFolder's order. None tries SRe2L's own and
            takes it where the labels confirm it in every epoch.
        listing: The images.
        logits: (E, S, K).

    Returns:
        The row in ``listing`` that each view shows, (E, S), int64, and how that was told.

    Raises:
        UserError: The way is unknown, a file is no order, or no way was named and none is confirmed.
    """
    epochs, count = logits.shape[:2]
    if order_name is not None:
        order = listing.listed[_named_order(order_name, epochs, count)]
        note = _agreement_note(agreement(order, listing, logits), count)
        return order, f"order of the labels as asked ({Path(order_name).name}); {note}"
    for sampler in SAMPLERS:
        order = listing.listed[sampler_order(sampler, _SEED, epochs, count)]
        agreements = agreement(order, listing, logits)
        if _confirmed(agreements, count):
            return order, f"order of the labels {sampler}:{_SEED}; {_agreement_note(agreements, count)}"
    raise UserError(
        "in which order the stored labels show the images is not known",
        f"tried {' and '.join(f'{sampler}:{_SEED}' for sampler in SAMPLERS)}: the labels do not confirm it",
        f"known {_WANT}",
        fix="say it with --order; or check that the labels were made for these images",
    )


def sampler_order(sampler: str, seed: int, epochs: int, count: int) -> Tensor:
    """Draw what torch's RandomSampler shows with one generator over all epochs.

    Args:
        sampler: A key of SAMPLERS.
        seed: Seed of the generator.
        epochs: Number of epochs, E.
        count: Number of images, S.

    Returns:
        (E, S), int64.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = [[torch.randperm(count, generator=generator) for _ in range(SAMPLERS[sampler])] for _ in range(epochs)]
    return torch.stack([permutations[0] for permutations in drawn])


def agreement(order: Tensor, listing: ClassListing, logits: Tensor) -> Tensor:
    """Measure how well labels agree with the classes of the images that an order says they show.

    Under an unrelated order each number is about 0, with a standard deviation of 1 / sqrt(S).

    Args:
        order: Row in ``listing`` that each view shows, (E, S), int64.
        listing: The images.
        logits: (E, S, K).

    Returns:
        By epoch, how many standard deviations above a view's mean the logit of its image's class lies, on average,
        (E,).
    """
    agreements = []
    for shown, epoch in zip(order, logits, strict=True):
        values = epoch.float()
        own = values.gather(1, listing.labels[shown][:, None])[:, 0]
        agreements.append(((own - values.mean(1)) / values.std(1, unbiased=False).clamp(min=1e-6)).mean())
    return torch.stack(agreements)


def _confirmed(agreements: Tensor, count: int) -> bool:
    overall = agreements.mean().item()
    certain = overall * (count * len(agreements)) ** 0.5 >= _CERTAIN
    return certain and agreements.min().item() >= _SHARE * overall


def _agreement_note(agreements: Tensor, count: int) -> str:
    chance = 1 / (count * len(agreements)) ** 0.5
    return (
        f"the teacher's logit of an image's class lies {agreements.mean().item():.2f} deviations above the mean "
        f"(weakest epoch {agreements.min().item():.2f}, by chance 0.00 +- {chance:.2f})"
    )


def _named_order(order_name: str, epochs: int, count: int) -> Tensor:
    if order_name == LISTED:
        return torch.arange(count).expand(epochs, -1)
    if match := re.fullmatch(r"(sampler|sampler-old):([0-9]{1,18})", order_name):
        return sampler_order(match[1], int(match[2]), epochs, count)
    if order_name.endswith((".pt", ".npy")):
        return _from_file(Path(order_name), epochs, count)
    raise UserError(f"there is no order {order_name!r}", f"known {_WANT}", fix="say one of them with --order")


def _from_file(path: Path, epochs: int, count: int) -> Tensor:
    order = read_npy(path) if path.suffix == ".npy" else read_torch(path)
    right = isinstance(order, Tensor) and not order.is_floating_point() and order.ndim == 2
    if not right or len(order) < epochs or order.shape[1] != count:
        raise UserError(
            f"{path} is no order of {count} images in {epochs} epochs",
            fix="save integers of that shape: the position in ImageFolder's order of each view's image",
        )
    order = order[:epochs].to(torch.int64)
    if bool((order.sort(1).values != torch.arange(count)).any()):
        raise UserError(f"an epoch in {path} does not show every image once", fix=f"use each of 0 to {count - 1} once")
    return order
