"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from models.networks.csnet import CSNet

NETWORKS: Mapping[str, Callable[[float], nn.Module]] = MappingProxyType({"csnet": CSNet})
"""Each takes a width factor."""
