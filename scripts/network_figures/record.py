"""Finds the blocks of a network, and what flows between them, by running it without memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from models.networks.build import NETWORKS, build
from models.networks.cost import parameters_of
from scripts.network_figures.graph import (
    CONCATENATION,
    Block,
    BlockGraph,
    Flow,
    Shape,
    simplified,
    with_shapes,
)
from scripts.network_figures.parts import TIMES, Figure, Part

JOINTS: Mapping[Callable[..., object], str] = {
    torch.ops.aten.add.Tensor: "+",
    torch.ops.aten.mul.Tensor: TIMES,
    torch.ops.aten.cat.default: CONCATENATION,
}
"""Operations outside of all parts that are drawn where they bring different blocks together."""

ABBREVIATED = {"ResidualDecoderBlock": "RDB", "InvertedResidual": "InvertedRes"}
"""Classes whose names would not fit into a box."""

Exit = tuple[int, Shape]
"""A block, and the shape in which a tensor left it."""


def block_graph(figure: Figure) -> BlockGraph:
    """Run a network at its native size without memory, and group what it computes by its parts.

    Raises:
        ValueError: parts that leave out parameters, or claim some twice.
    """
    side = NETWORKS[figure.network].native_size
    with torch.device("meta"), torch.no_grad():
        network = build(figure.network).eval()
        image = torch.empty(1, network.in_channels, side, side)
        with _Recorder(network, figure.parts, image) as recorder:
            outputs = network(image)
    blocks = recorder.blocks
    claimed = sum(block.parameters for block in blocks)
    total = parameters_of(network)
    if claimed != total:
        raise ValueError(f"{figure.network}: expected {total} parameters in its parts, got {claimed}")
    for place, saliency in enumerate(outputs.sides):
        for index, _ in recorder.exits(saliency):
            if blocks[index].part.role == "side":
                blocks[index] = replace(blocks[index], sides=(*blocks[index].sides, place))
    recorder.finish(outputs.final)
    return simplified(with_shapes(BlockGraph(tuple(blocks), tuple(recorder.flows))))


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch is partly untyped
    """Follows tensors from part to part. Holds on to each tensor, so that no two share an identity."""

    def __init__(self, network: nn.Module, parts: Sequence[Part], image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.blocks = [Block(Part("image", "image"))]
        self.flows: dict[Flow, None] = {}
        self._current: int | None = None
        self._kept: list[Tensor] = []
        self._exits: dict[int, tuple[Exit, ...]] = {}
        self._leave(image, 0)
        self._hooks = [hook for part in parts for hook in self._watch(network, part)]

    def exits(self, tensor: Tensor) -> tuple[Exit, ...]:
        """Where what a tensor is made of left its blocks; nothing for a weight."""
        return self._exits.get(id(tensor), ())

    def finish(self, final: Tensor) -> None:
        """Add the final map."""
        self._current = self._add(Block(Part("final", "final")))
        self._enter([final], self._current)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        inputs = [tensor for tensor in _tensors((args, kwargs)) if self.exits(tensor)]
        if inputs:
            for output in _tensors(result):
                self._follow(func, inputs, output)
        return result

    def _follow(self, func: Callable[..., object], inputs: Sequence[Tensor], output: Tensor) -> None:
        exits = tuple(dict.fromkeys(exit_ for tensor in inputs for exit_ in self.exits(tensor)))
        block = self._current
        if block is None and func in JOINTS and len({source for source, _ in exits}) > 1:
            block = self._add(Block(Part(JOINTS[func], "joint")))
        if block is None:
            self._keep(output, exits)
        else:
            self._enter(inputs, block)
            self._leave(output, block)

    def _add(self, block: Block) -> int:
        self.blocks.append(block)
        return len(self.blocks) - 1

    def _enter(self, tensors: Iterable[Tensor], block: int) -> None:
        for tensor in tensors:
            for source, shape in self.exits(tensor):
                if source != block:
                    self.flows[Flow(source, block, shape, _shape(tensor))] = None

    def _leave(self, tensor: Tensor, block: int) -> None:
        self._keep(tensor, ((block, _shape(tensor)),))

    def _keep(self, tensor: Tensor, exits: tuple[Exit, ...]) -> None:
        self._kept.append(tensor)
        self._exits[id(tensor)] = exits

    def _watch(self, network: nn.Module, part: Part) -> Iterator[RemovableHandle]:
        modules = [network.get_submodule(path) for path in part.modules]
        parameters = sum(map(parameters_of, modules))
        number: list[int] = []

        def enter(*_: object) -> None:
            # Blocks are numbered as they run, whatever the order in which the parts are written.
            if not number:
                number.append(self._add(Block(part, parameters, _repeats(modules))))
            self._current = number[0]

        def leave(*_: object) -> None:
            self._current = None

        for module in modules:
            yield module.register_forward_pre_hook(enter)
            yield module.register_forward_hook(leave)


def _tensors(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _shape(tensor: Tensor) -> Shape:
    if tensor.ndim != 4:
        return Shape(tensor.shape[-1], 1, 1)
    return Shape(*tensor.shape[1:])


def _repeats(modules: Sequence[nn.Module]) -> str:
    """What a part is a sequence of, poolings aside, such as 3 times BasicBlock; empty if it is none."""
    layers: Iterable[nn.Module] = modules
    if len(modules) == 1:
        inner = getattr(modules[0], "layers", modules[0])
        layers = inner if isinstance(inner, nn.Sequential | nn.ModuleList) else ()
    kinds = [type(layer).__name__ for layer in layers if not isinstance(layer, nn.MaxPool2d)]
    if len(kinds) < 2 or len(set(kinds)) > 1 or kinds[0] == "Sequential":
        return ""
    return f"{len(kinds)}{TIMES}{ABBREVIATED.get(kinds[0], kinds[0])}"
