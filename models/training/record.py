"""What every settings table of a recipe is: frozen, finite, and strict about names it does not know."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

DIGEST_BYTES = 8

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**64)]
"""PyTorch takes no larger one."""


class Record(BaseModel):
    """Base of the tables of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def settings_digest(recipe: Record) -> str:
    """Return 16 hex digits over all settings of a recipe but those at their defaults.

    A version with a setting more has the same digest for what was written before it.
    """
    text = json.dumps(_settings(recipe), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _settings(value: object) -> object:
    if isinstance(value, tuple):
        return [_settings(item) for item in value]
    if isinstance(value, dict):
        return {key: _settings(item) for key, item in value.items()}
    if not isinstance(value, BaseModel):
        return value
    fields = type(value).model_fields
    return {
        name: _settings(setting)
        for name, setting in value
        # Tables of two kinds may have settings of the same names.
        if name == "kind" or setting != fields[name].get_default(call_default_factory=True)
    }
