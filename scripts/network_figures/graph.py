"""The blocks of a network and what flows between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from scripts.network_figures.parts import Part

CONCATENATION = "C"


class Shape(NamedTuple):
    """Of a map, without its batch; 1 by 1 where it has no places."""

    channels: int
    height: int
    width: int


class Flow(NamedTuple):
    """A tensor from one block to another: its shape where it left, and where it arrived."""

    source: int
    target: int
    left: Shape
    arrived: Shape


@dataclass(frozen=True)
class Block:
    """What is drawn as one box.

    Attributes:
        part: its name and role.
        parameters: of its modules.
        repeats: what it is a sequence of, such as 3 of BasicBlock.
        sides: places in `SaliencyOutputs.sides` of the maps predicted from it.
        shapes: of the maps that leave it, finest first; of those that enter it where none has places.
    """

    part: Part
    parameters: int = 0
    repeats: str = ""
    sides: tuple[int, ...] = ()
    shapes: tuple[Shape, ...] = ()


@dataclass(frozen=True)
class BlockGraph:
    """A network at its native size; blocks in the order of computation, image first, final map last."""

    blocks: tuple[Block, ...]
    flows: tuple[Flow, ...]
    head_parameters: int = 0


def with_shapes(graph: BlockGraph) -> BlockGraph:
    """Fill in the shapes of the blocks, which follow from the flows."""
    filled = []
    for index, block in enumerate(graph.blocks):
        into = {flow.arrived for flow in graph.flows if flow.target == index and flow.arrived.height > 1}
        out = {flow.left for flow in graph.flows if flow.source == index and flow.left.height > 1}
        shapes = sorted(out or into, key=lambda shape: -shape.height)
        filled.append(replace(block, shapes=tuple(shapes)))
    return replace(graph, blocks=tuple(filled))


def simplified(graph: BlockGraph) -> BlockGraph:
    """Take out the heads of side maps, and concatenations that only one block reads: flows pass through."""
    blocks, flows, head_parameters = list(graph.blocks), list(graph.flows), graph.head_parameters
    kept = []
    for index, block in enumerate(graph.blocks):
        is_head = block.part.role == "side"
        readers = {flow.target for flow in flows if flow.source == index}
        if not is_head and (block.part.name != CONCATENATION or len(readers) > 1):
            kept.append(index)
            continue
        if is_head:
            head_parameters += block.parameters
            (source,) = {flow.source for flow in flows if flow.target == index}
            blocks[source] = replace(blocks[source], sides=(*blocks[source].sides, *block.sides))
        flows = _bypass(flows, index, keep_shape=not is_head)
    place = {index: number for number, index in enumerate(kept)}
    return BlockGraph(
        tuple(blocks[index] for index in kept),
        tuple(flow._replace(source=place[flow.source], target=place[flow.target]) for flow in flows),
        head_parameters,
    )


def _bypass(flows: Sequence[Flow], block: int, *, keep_shape: bool) -> list[Flow]:
    into = [flow for flow in flows if flow.target == block]
    passed = [flow for flow in flows if block not in {flow.source, flow.target}]
    for flow in flows:
        if flow.source == block:
            passed += [
                Flow(before.source, flow.target, before.left if keep_shape else flow.left, flow.arrived)
                for before in into
            ]
    return [flow for flow in dict.fromkeys(passed) if flow.source != flow.target]
