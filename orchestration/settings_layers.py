"""Settings from their layers: defaults < TOML file < environment < options; and where each came from."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings import SettingsError as UnreadableVariableError

from ingest.masking import MASK, without_password
from ingest.records import first_problem
from orchestration.errors import SettingsError
from orchestration.settings import Settings

SETTINGS_FILE = "coilwatch.toml"
"""Read from the working directory when no other file is named."""

PREFIX = "COILWATCH_"
FILE_VARIABLE = "COILWATCH_SETTINGS"
OTHER_VARIABLES = frozenset({FILE_VARIABLE, "COILWATCH_DATA"})
"""Variables with our prefix that are no settings: the settings file, and the data folder of the tests."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One effective value and where it came from.

    Attributes:
        key: dotted, as in `kafka.bootstrap_servers`.
        value: as text, secrets masked.
        source: `default`, the file's path, the variable's name, or `option`.
    """

    key: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The effective settings and the layer that each set value came from."""

    settings: Settings
    sources: Mapping[str, str]

    def origins(self) -> list[Origin]:
        """Every value with its source, in the order of the settings; secrets masked."""
        return [
            Origin(key, shown(value), self.sources.get(key, self._implied(key)))
            for key, value in leaves(self.settings)
        ]

    def _implied(self, key: str) -> str:
        address = {"kafka.embedded": "kafka.bootstrap_servers", "redis.embedded": "redis.url"}.get(key, "")
        return f"{address} is set" if address in self.sources else "default"


def load(
    file: Path | None = None,
    options: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Read every layer and check it.

    Args:
        file: TOML file; without one `COILWATCH_SETTINGS` names it, else `coilwatch.toml` if it is there.
        options: dotted key to value; None means that the option was not given.
        environment: `os.environ` unless told.

    Raises:
        SettingsError: names the key, where it stands, and for an unknown one the nearest known.
    """
    environment = os.environ if environment is None else environment
    path = _settings_file(file, environment)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in (
        _from_file(path) if path else {},
        _from_environment(environment),
        {key: (value, "option") for key, value in (options or {}).items() if value is not None},
    ):
        for key, (value, source) in layer.items():
            _refuse_unknown(key, source)
            values[key], sources[key] = value, source
    return LoadedSettings(_validated(values, sources), sources)


def leaves(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every setting."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def variable(key: str) -> str:
    """The environment variable that sets a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def shown(value: Any) -> str:  # noqa: ANN401 (any setting)
    """A value as text, without its secrets."""
    if value is None:
        return "-"
    if isinstance(value, SecretStr):
        return MASK
    return without_password(str(value))


def _settings_file(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    named = file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError(f"settings file {named}: expected a TOML file, found none")
        return named
    here = Path(SETTINGS_FILE)
    return here if here.is_file() else None


def _from_file(path: Path) -> dict[str, tuple[Any, str]]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    # Beside broken TOML: no UTF-8, a number of thousands of digits, or a thousand brackets in brackets.
    except (ValueError, RecursionError, OSError) as error:
        raise SettingsError(f"settings file {path}: {error}") from None
    return {key: (value, str(path)) for key, value in _flattened(data)}


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    ours = {name for name in environment if name.upper().startswith(PREFIX)} - OTHER_VARIABLES
    known = {variable(key): key for key, _ in leaves(Settings())}
    for name in sorted(ours):
        if name.upper() not in known:
            near = _nearest(name.upper(), known)
            raise SettingsError(f"environment: unknown setting {name}{near}")
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): environment[name] for name in ours}
    try:
        flat = dict(_flattened(source()))
    except UnreadableVariableError as error:
        raise SettingsError(f"environment: {error}") from None
    return {key: (value, f"environment {variable(key)}") for key, value in flat.items() if value != ""}


def _flattened(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    sections = {key.rpartition(".")[0] for key, _ in leaves(Settings())}
    for name, value in data.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key in sections:
            yield from _flattened(value, f"{key}.")
        else:
            yield key, value


def _refuse_unknown(key: str, source: str) -> None:
    known = [known for known, _ in leaves(Settings())]
    if key not in known:
        raise SettingsError(f"{source}: unknown setting {key}{_nearest(key, known)}")


def _nearest(name: str, known: Mapping[str, str] | list[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _validated(values: Mapping[str, Any], sources: Mapping[str, str]) -> Settings:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    try:
        return Settings(**nested)
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        problem = first_problem(error)
        if "password" in key:
            problem = f"{key}: not a valid secret"
        elif key.endswith("url"):
            # What came may be a URL that our mask does not recognise as one.
            problem = f"{key}: {error.errors()[0]['msg']}"
        source = next((source for known, source in sources.items() if key.startswith(known)), "settings")
        raise SettingsError(f"{source}: {problem}") from None
