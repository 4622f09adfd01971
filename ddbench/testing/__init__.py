"""Tests for methods of your own, to be run outside the repository, with pytest or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.distillation.base_method import Method

__all__ = ["check_method"]


def check_method(method: type[Method] | Method, *, device: str = "cpu", **settings: Any) -> None:
    """Test whether a method keeps the contract that the engine relies on.

    It is distilled on tiny data in memory: three classes of 8 x 8 images with drawn experts and, where it needs some, a
    drawn teacher; or the ``motifs`` graphs.
    Every method: it is frozen, refuses unknown settings, and its settings survive JSON. Methods of images and graphs:
    shapes, labels and facts of the set; the same seed gives the same bits; the global random state stays as it is; an
    ipc beyond the smallest class is refused. Optimized methods: the loss is a finite scalar, it reaches every tensor
    that ``outer_rates`` names, and it depends on the step but on nothing else.

    Of a ``JobMethod`` the settings alone are tested.

    Args:
        method: The class, or a method with its settings.
        device: Where images are distilled: ``cpu`` or ``cuda``.
        **settings: Settings of a class; those it requires, and small ones where the defaults take long.

    Raises:
        AssertionError: The method breaks the contract; the message says which part.
        UserError: The class is no whole method.
        pydantic.ValidationError: A setting is wrong or missing.
    """
    from ddbench.distillation.method import DirectMethod, OptimizedMethod
    from ddbench.graphs.method import GraphMethod
    from ddbench.pipeline.plugins import require_method
    from ddbench.testing import graph_contract, image_contract, settings_contract

    kind = method if isinstance(method, type) else type(method)
    require_method(kind, kind.__name__)
    if not isinstance(method, type):
        assert not settings, "settings were given beside a method that has its own"
        chosen = method
    else:
        chosen = method(**settings)
    settings_contract.check(chosen)
    if isinstance(chosen, GraphMethod):
        graph_contract.check(chosen)
    elif isinstance(chosen, OptimizedMethod | DirectMethod):
        image_contract.check(chosen, device)
