"""Check that a module can be a student: a pure function of its parameters and inputs, without state between calls."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils import parametrizations

from ddbench.errors import UserError

_RATES = ("p", "drop_prob", "prob", "drop_rate", "dropout")


def refuse_non_students(module: nn.Module) -> None:
    """Refuse a module that can not be a student.

    Layers are seen; a call of ``torch.nn.functional.dropout`` inside a forward method is not.

    Args:
        module: The network.

    Raises:
        UserError: A part keeps the module from being a student; names the first, and what to do.
    """
    if not any(True for _ in module.parameters()):
        raise _refusal(module, "it has no parameters", "give a network that can be trained")
    for name, parameter in module.named_parameters():
        if not parameter.is_floating_point():
            raise _refusal(module, f"its parameter {name} is {parameter.dtype}", "make it a buffer, or floating point")
        if not parameter.requires_grad:
            raise _refusal(module, f"its parameter {name} needs no gradient", "unfreeze it: requires_grad_(True)")
    if len({parameter.dtype for parameter in module.parameters()}) > 1:
        raise _refusal(module, "its parameters have several dtypes", "convert it to one: module.float()")
    for name, layer in module.named_modules():
        _refuse_layer(module, layer, f"its layer {name or 'itself'} ({type(layer).__name__})")


def _refuse_layer(module: nn.Module, layer: nn.Module, who: str) -> None:
    running = any(name.startswith("running_") for name, _ in layer.named_buffers(recurse=False))
    if running and not layer.training:
        raise _refusal(
            module,
            f"{who} normalizes by running statistics, which are no parameters: a flat vector does not hold them",
            "call .train() on the network first: a student uses the statistics of its batch; or use another norm",
        )
    if running and not isinstance(layer, _NormBase):
        raise _refusal(module, f"{who} keeps running statistics in a way of its own", "use torch's norms")
    if layer.training and _rate_of_randomness(layer) > 0:
        raise _refusal(
            module,
            f"{who} drops at random in train mode, so a step could not be repeated",
            "choose a network without it; in Python, set its rate to 0",
        )
    if layer.training and isinstance(layer, parametrizations._SpectralNorm):
        raise _refusal(module, f"{who} changes its buffers at every call in train mode", "call .eval() on it")


def batch_statistics_only(module: nn.Module) -> nn.Module:
    """Make every norm that keeps running statistics forget them and use its batch.

    Args:
        module: The network, which is changed.

    Returns:
        The same module.
    """
    for layer in module.modules():
        if isinstance(layer, _NormBase):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return module


def _rate_of_randomness(layer: nn.Module) -> float:
    """The probability with which a layer drops parts of its input; 0 for a layer that never does."""
    kind = type(layer).__name__.lower()
    named_so = "drop" in kind or "stochasticdepth" in kind
    if not named_so and not isinstance(layer, nn.MultiheadAttention | nn.RNNBase):
        return 0.0
    rates = (getattr(layer, name, None) for name in _RATES)
    return max((float(rate) for rate in rates if isinstance(rate, int | float)), default=0.0)


def _refusal(module: nn.Module, why: str, fix: str) -> UserError:
    return UserError(f"{type(module).__name__} can not be a student", f"why   {why}", fix=fix)
