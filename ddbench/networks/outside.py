"""Untrained models of torchvision and timm, made to fit the images and classes at hand."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import Tensor, nn

from ddbench.errors import UserError


def outside_names(source: str) -> list[str]:
    """List the image classifiers of a library.

    Args:
        source: "torchvision" or "timm".

    Returns:
        Names of its models.
    """
    if source == "timm":
        import timm

        return timm.list_models()
    from torchvision import models

    return models.list_models(module=models)


def check_outside_name(source: str, name: str, where: str = "") -> None:
    """Refuse a name that a library's models do not have.

    Args:
        source: "torchvision" or "timm".
        name: Name of a model.
        where: The place it was read from, for the error; may be empty.

    Raises:
        UserError: There is no such model; gives the nearest names.
    """
    names = outside_names(source)
    if name in names:
        return
    near = difflib.get_close_matches(name.split(".")[0], names, n=5, cutoff=0.4)
    raise UserError(
        f"there is no network '{source}:{name}'",
        f"from  {where}" if where else "",
        f"near  {', '.join(near)}" if near else "",
        f"known {len(names)} classification models of {source}",
        fix=f"did you mean '{source}:{near[0]}'?" if near else f"use a name of {source}'s list_models()",
    )


def build_outside(source: str, name: str, *, channels: int, size: int, classes: int) -> nn.Module:
    """Build an untrained model of a library, drawn from the default generator.

    Args:
        source: "torchvision" or "timm".
        name: Name of a model.
        channels: Color channels of an image.
        size: Side of the square images, in pixels.
        classes: Number of classes.

    Returns:
        A module that maps images (B, channels, size, size) to logits (B, classes).

    Raises:
        UserError: The model does not take such images; gives the library's own words.
    """
    make = _from_timm if source == "timm" else _from_torchvision
    try:
        network = make(name, channels, size, classes)
        _probe(network, channels, size, classes)
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"network '{source}:{name}' does not take {size}-pixel images of {channels} channels",
            f"why   {words[0]}",
            fix="choose another network, or larger images",
        ) from error
    return network.train()


def _from_timm(name: str, channels: int, size: int, classes: int) -> nn.Module:
    import timm

    config = timm.get_pretrained_cfg(name)
    sized: dict[str, Any] = {"img_size": size} if config is not None and config.fixed_input_size else {}
    return timm.create_model(name, pretrained=False, num_classes=classes, in_chans=channels, **sized)


def _from_torchvision(name: str, channels: int, size: int, classes: int) -> nn.Module:
    from torchvision import models

    extra: dict[str, Any] = {}
    if name.startswith("vit_"):
        extra["image_size"] = size
    elif name.startswith("maxvit"):
        extra["input_size"] = (size, size)
    elif name in ("googlenet", "inception_v3"):  # their auxiliary classifiers would give a tuple in train mode
        extra.update(aux_logits=False, init_weights=True)
    network = models.get_model(name, weights=None, num_classes=classes, **extra)
    if channels != 3:
        _replace_stem(network, channels)
    return network


def _replace_stem(network: nn.Module, channels: int) -> None:
    """Give the first convolution, which torchvision makes for three channels, as many as the images have."""
    for path, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 3 and layer.groups == 1:
            stem = nn.Conv2d(
                channels,
                layer.out_channels,
                layer.kernel_size,  # type: ignore[arg-type]
                stride=layer.stride,  # type: ignore[arg-type]
                padding=layer.padding,  # type: ignore[arg-type]
                dilation=layer.dilation,  # type: ignore[arg-type]
                bias=layer.bias is not None,
                padding_mode=layer.padding_mode,
            )
            parent, _, attribute = path.rpartition(".")
            setattr(network.get_submodule(parent), attribute, stem)
            return
    raise ValueError("no first convolution was found whose three channels could be changed")


def _probe(network: nn.Module, channels: int, size: int, classes: int) -> None:
    """See one blank image through: libraries tell only then that an image is too small."""
    device = next(network.parameters()).device
    with torch.no_grad():
        logits: Any = network.eval()(torch.zeros(1, channels, size, size, device=device))
    if not isinstance(logits, Tensor) or logits.shape != (1, classes):
        raise ValueError(f"it gives {type(logits).__name__} instead of {classes} logits an image")
