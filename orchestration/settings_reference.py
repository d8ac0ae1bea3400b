"""The page of the settings, made from their models: docstrings, bounds, defaults (`docs/settings.md`)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from orchestration.settings import Settings
from orchestration.settings_layers import variable

EXAMPLE = "inspection.min_area_px"
HEAD = f"""# Settings

Every setting has a default. A settings file sets it (`coilwatch.toml` in the working directory, or the one
that `--settings` or `COILWATCH_SETTINGS` names), an environment variable over that, `--set` over both:

```toml
[inspection]
min_area_px = 40
```

```
{variable(EXAMPLE)}=40 coilwatch inspect strip/
coilwatch --set {EXAMPLE}=40 inspect strip/
```

`coilwatch settings` prints every value and where it came from. A running line takes changed settings when
`coilwatch up` rolls them out: [upgrades](upgrades.md). Cameras stand in [`line.toml`](line.md), what holds or
blocks a coil in the [grading rules](report.md#what-decides). `px` are pixels of a frame, `mm` millimetres of
strip, `s` seconds. A setting without a default is None, that is, has no value, until it is set.

This page is made from the settings themselves by `scripts/reference-docs`."""

ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n     +.+)*)", re.MULTILINE)
"""A line of a docstring's `Attributes`, and what is indented further below it."""
KINDS = {"boolean": "`true`, `false`", "integer": "whole number", "number": "number", "string": "text"}
FORMATS = {"path": "path", "password": "secret"}


def reference() -> str:
    """The page as Markdown: a table for each section, in the order of the settings."""
    parts = [HEAD]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            parts += [f"\n## {name}\n", *_introduction(section), *_table(section, f"{name}.")]
    alone = [name for name, value in Settings() if not isinstance(value, BaseModel)]
    return "\n".join([*parts, "\n## Without a section\n", *_table(Settings, "", alone)]) + "\n"


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model and of those it inherits from say of each attribute."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        attributes = inspect.cleandoc(one.__doc__ or "").partition("\nAttributes:\n")[2]
        found |= {name: " ".join(text.split()) for name, text in ATTRIBUTE.findall(attributes)}
    return found


def _introduction(model: type[BaseModel]) -> Iterator[str]:
    text = inspect.cleandoc(model.__doc__ or "").partition("\nAttributes:\n")[0]
    yield from (" ".join(paragraph.split()) + "\n" for paragraph in text.strip().split("\n\n"))


def _table(model: type[BaseModel], prefix: str, names: list[str] | None = None) -> Iterator[str]:
    meaning, schemas = meanings(model), model.model_json_schema()["properties"]
    yield from ("| setting | meaning | values | default |", "|---|---|---|---|")
    for name in names or schemas:
        text = meaning[name][0].upper() + meaning[name][1:]
        cells = (f"`{prefix}{name}`", text, _values(schemas[name]), _default(schemas[name]))
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _values(schema: Mapping[str, Any]) -> str:
    """The choices of a setting, or its kind and bounds."""
    # `anyOf` is a value or None, which is what holds where nobody sets it.
    schema = schema.get("anyOf", [schema])[0]
    if choices := schema.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = FORMATS.get(schema.get("format", ""), KINDS[schema["type"]])
    above, least, most = (schema.get(key) for key in ("exclusiveMinimum", "minimum", "maximum"))
    lower = f" from {least}" if above is None else f" above {above}"
    upper = f" to {most}" if above is None else f" and up to {most}"
    return f"{kind}{'' if above is least is None else lower}{'' if most is None else upper}"


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
