"""Typed configurations: `configs/NAME.toml`, read into the frozen dataclass that declares its settings."""

import argparse
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from models.errors import BadInput, suggest

FOLDER = Path(__file__).parent / "configs"


class Config:
    """What every dataclass of settings inherits: unknown settings and values of another type are refused."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)


C = TypeVar("C", bound=Config)


def load_config(
    name: str, config_class: type[C], overrides: Mapping[str, Any] | None = None, *, folder: Path = FOLDER
) -> C:
    """Reads `configs/NAME.toml` as a `config_class`, a dataclass of `Config` that may hold others and tuples of them.

    `overrides` are options of the command line by field name, such as {"seed": 3, "epochs": None}; None keeps the
    configuration's own value. A field is looked up in the configuration, then in the first dataclass (or tuple of
    dataclasses) inside it that has the field. A field `name` of the class is filled with the file's name.

    Raises `BadInput` if the file is missing or is no TOML, if a setting is unknown (the message names the nearest one),
    missing, of the wrong type or refused by the class, or if the configuration has no field that an override names.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.toml"))
        raise BadInput(f"There is no configuration {name!r}.{suggest(name, known)}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path.name} is not TOML: {error}.") from error
    if "name" in _names(config_class):
        values = {"name": name, **values}
    config = parse_config(values, config_class, name)
    for field, value in (overrides or {}).items():
        if value is not None:
            config = _override(config, field, value, name)
    return config


def overrides_of(args: argparse.Namespace) -> dict[str, Any]:
    """The options `--seed`, `--epochs` and `--folds` as `overrides` of `load_config`, None where they are not given."""
    return {name: getattr(args, name, None) for name in ("seed", "epochs", "folds")}


def parse_config(values: Mapping[str, Any], config_class: type[C], where: str) -> C:
    """Builds the dataclass from plain values, as TOML has them; `where` names them in the `BadInput` of `load_config`."""
    adapter = TypeAdapter(config_class)
    try:
        return adapter.validate_json(
            json.dumps(values)
        )  # where an array is a tuple, which strict Python values are not
    except ValidationError as error:
        problem = max(error.errors(), key=lambda each: each["type"] == "unexpected_keyword_argument")  # a typo first
        *holders, name = (where, *problem["loc"])
        holder, path = _path(holders), _path([*holders, name])
        if problem["type"] == "unexpected_keyword_argument":
            schema = adapter.json_schema()
            known = {key for each in (schema, *schema.get("$defs", {}).values()) for key in each.get("properties", ())}
            raise BadInput(f"The configuration {holder} has no setting {name!r}.{suggest(str(name), known)}") from None
        if problem["type"] == "missing":
            raise BadInput(f"The configuration lacks {path}.") from None
        if problem["type"] == "value_error":
            raise BadInput(f"The configuration {path} does not fit: {problem['ctx']['error']}.") from None
        expected = problem["msg"].replace("Input should", "it should")
        raise BadInput(f"The configuration's {path} is {problem['input']!r}: {expected}.") from None


def _path(location: Sequence[str | int]) -> str:
    """["toy", "stages", 1, "lr"] as toy.stages[1].lr."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in location).removeprefix(".")


def _names(config_class: type) -> list[str]:
    return [field.name for field in fields(config_class)]


def _override(config: Any, field: str, value: Any, where: str) -> Any:
    if field in _names(type(config)):
        try:
            return replace(config, **{field: value})
        except ValueError as error:
            raise BadInput(f"The configuration {where} does not fit: {error}.") from error
    for holder in _names(type(config)):
        inner = getattr(config, holder)
        items = inner if isinstance(inner, tuple) else (inner,)
        if items and all(is_dataclass(item) and field in _names(type(item)) for item in items):
            changed = tuple(_override(item, field, value, f"{where}.{holder}") for item in items)
            return replace(config, **{holder: changed if isinstance(inner, tuple) else changed[0]})
    raise BadInput(f"The configuration {where} has no setting {field!r}: leave out --{field}.")
