"""One weights file: tensors of a network and, in the header, a JSON block that says which and from where.

Only safetensors is read: a pickle can run code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar, overload

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from models.errors import WeightsError

METADATA_KEY = "coilwatch"
DIGEST_BYTES = 16
MAX_WIDTH = 8.0
"""The widest published network is of factor 2; a network of any width would take any memory."""

MAX_SHARPNESS = 3.0
"""A peak of 255 is a logit of 6.2: beyond it more and more of texture would round to that as well."""

Knob = str | int | Annotated[float, Field(allow_inf_nan=True)] | bool | None
"""What a file can say of a network's knob; building tells which numbers the network takes."""


def _beside_name_and_width(knobs: dict[str, Knob]) -> dict[str, Knob]:
    for name in ("name", "width"):
        if name in knobs:
            raise ValueError(f"expected the network's name and width beside the knobs, got {name} among them")
    return knobs


Knobs = Annotated[dict[str, Knob], AfterValidator(_beside_name_and_width)]
"""Of one network, by name."""


def _of_the_structure(knobs: dict[str, Knob]) -> dict[str, Knob]:
    if "pretrained" in knobs:
        raise ValueError("expected knobs of the structure, got pretrained: a file has its own weights")
    return knobs


class WeightsInfo(BaseModel):
    """What a weights file says of itself.

    Attributes:
        network: name of the architecture, as `csnet-x1`.
        width: its width factor.
        knobs: of the architecture, over those of its name.
        version: recipe and step that made these weights.
        data: what they were trained on.
        recipe: name of the recipe.
        metrics: figures reached, by name, with the set in the name.
        sharpness: factor on the final logits before they become saliency.
        gate_threshold: logit of a tile from which these weights, as a gate, let it through; None for no gate.
        digest: 32 hex digits over all that decides what comes out, and the tensors; from `save_weights`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    width: Annotated[float, Field(gt=0, le=MAX_WIDTH)]
    knobs: Annotated[Knobs, AfterValidator(_of_the_structure)] = {}
    version: str
    data: str
    recipe: str
    metrics: dict[str, float] = {}
    sharpness: Annotated[float, Field(gt=0, le=MAX_SHARPNESS)] = 1.0
    gate_threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    digest: str = ""

    @property
    def structure(self) -> list[object]:
        """What decides, beside the tensors, what comes out; the digest covers it."""
        decided: list[object] = [self.network, self.width]
        decided += [self.knobs] if self.knobs else []
        decided += [self.sharpness] if self.sharpness != 1 else []
        return decided if self.gate_threshold is None else [*decided, {"gate_threshold": self.gate_threshold}]


Info = TypeVar("Info", bound=WeightsInfo)


def weights_of(network: nn.Module, *, half: bool = False) -> dict[str, Tensor]:
    """Return the tensors that decide what a network computes, on the CPU, without training counters.

    Args:
        network: in float32.
        half: kernels and matrices in float16. Biases and normalisations stay as they are: they are few, and
            variances may leave float16's range.
    """
    return {
        name: _stored(tensor, half=half)
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def _stored(tensor: Tensor, *, half: bool) -> Tensor:
    dtype = torch.float16 if half and tensor.ndim > 1 else tensor.dtype
    return tensor.detach().to("cpu", dtype, memory_format=torch.contiguous_format)


def save_weights(path: Path, weights: Mapping[str, Tensor], info: Info) -> Info:
    """Write a weights file in one step, so that a reader sees the old file or the new one.

    Returns:
        `info` with its digest.
    """
    sealed = info.model_copy(update={"digest": weights_digest(weights, info)})
    blob = save(dict(weights), metadata={METADATA_KEY: sealed.model_dump_json()})
    write_atomically(path, blob)
    return sealed


@overload
def read_weights(path: Path) -> tuple[dict[str, Tensor], WeightsInfo]: ...


@overload
def read_weights(path: Path, kind: type[Info]) -> tuple[dict[str, Tensor], Info]: ...


def read_weights(path: Path, kind: type[WeightsInfo] = WeightsInfo) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Read a weights file and check its digest.

    Args:
        path: of the file.
        kind: of its metadata; those of another kind of network are refused.

    Raises:
        WeightsError: not there, not safetensors, no metadata block, or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read weights {path}: expected a safetensors file ({error})") from error
    info = _parse_info(path, metadata, kind)
    found = weights_digest(weights, info)
    if found != info.digest:
        raise WeightsError(f"weights {path} are damaged: expected digest {info.digest}, got {found}")
    return weights, info


def fill_network(network: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Put weights into a network of exactly those names and shapes; the network keeps its precision.

    Raises:
        WeightsError: the first tensor that is missing, not known, of another shape, or not all finite.
    """
    expected = weights_of(network)
    for name, tensor in expected.items():
        if name not in weights:
            raise WeightsError(f"weights {source} do not match their network: no tensor {name}")
        if weights[name].shape != tensor.shape:
            shapes = f"expected {tuple(tensor.shape)}, got {tuple(weights[name].shape)}"
            raise WeightsError(f"weights {source} do not match their network: {name} {shapes}")
    for name in weights:
        if name not in expected:
            raise WeightsError(f"weights {source} do not match their network: unknown tensor {name}")
    network.load_state_dict(dict(weights), strict=False)
    for name, tensor in weights_of(network).items():
        # One NaN spreads over the whole map, which is dark then: the coil would be released.
        if not tensor.isfinite().all():
            raise WeightsError(f"weights {source} are unusable: {name} has values that are no finite numbers")


def weights_digest(weights: Mapping[str, Tensor], info: WeightsInfo) -> str:
    """Return 32 hex digits that change with the architecture or any byte, name or shape of the tensors."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    state.update(json.dumps(info.structure, sort_keys=True).encode())
    for name in sorted(weights):
        tensor = weights[name]
        state.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        state.update(
            tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        )
    return state.hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _parse_info(path: Path, metadata: Mapping[str, str], kind: type[WeightsInfo]) -> WeightsInfo:
    if METADATA_KEY not in metadata:
        raise WeightsError(f"weights {path} have no {METADATA_KEY} metadata block")
    try:
        return kind.model_validate_json(metadata[METADATA_KEY])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WeightsError(f"weights {path} have a bad metadata block: {where}: {first['msg']}") from error
