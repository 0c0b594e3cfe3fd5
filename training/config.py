"""Typed configurations: `configs/NAME.toml`, read into the frozen dataclass that declares its settings."""

import argparse
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from models.errors import BadInput, suggest

FOLDER = Path(__file__).parent / "configs"
C = TypeVar("C")


def load_config(
    name: str, config_class: type[C], overrides: Mapping[str, Any] | None = None, *, folder: Path = FOLDER
) -> C:
    """Reads `configs/NAME.toml` as a `config_class`, a dataclass that may hold other dataclasses and tuples of them.

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
    known, hints = _names(config_class), get_type_hints(config_class)
    for key in values:
        if key not in known:
            raise BadInput(f"The configuration {where} has no setting {key!r}.{suggest(key, known)}")
    typed = {key: _typed(value, hints[key], f"{where}.{key}") for key, value in values.items()}
    for field in fields(config_class):  # type: ignore[arg-type]  # a dataclass
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise BadInput(f"The configuration {where} lacks the setting {field.name!r}.")
    return _built(config_class, typed, where)


def _names(config_class: type) -> list[str]:
    return [field.name for field in fields(config_class)]


def _built(build: Any, values: Mapping[str, Any], where: str) -> Any:
    """`build(**values)`, with the `ValueError` of a dataclass's own checks as a `BadInput`."""
    try:
        return build(**values)
    except ValueError as error:
        raise BadInput(f"The configuration {where} does not fit: {error}.") from error


def _typed(value: Any, kind: Any, where: str) -> Any:
    """The value as the type says: nested tables as dataclasses, arrays as tuples; `BadInput` where it is of another type."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):  # of None and one other type
        return None if value is None else _typed(value, next(arg for arg in inner if arg is not NoneType), where)
    if is_dataclass(origin) and isinstance(value, Mapping):
        return parse_config(value, origin, where)  # type: ignore[arg-type]
    if origin in (dict, Mapping) and isinstance(value, Mapping):
        return {key: _typed(item, inner[1], f"{where}.{key}") for key, item in value.items()}
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(value):
            pairs = enumerate(zip(value, kinds, strict=True))
            return tuple(_typed(item, item_kind, f"{where}[{index}]") for index, (item, item_kind) in pairs)
    if (
        origin is Any
        or (origin is Literal and value in inner)
        or (origin in (bool, int, str) and type(value) is origin)
    ):
        return value
    if origin is float and type(value) in (int, float):
        return float(value)
    expected = " or ".join(map(repr, inner)) if origin is Literal else getattr(kind, "__name__", str(kind))
    raise BadInput(f"The configuration's {where} is {value!r}, which is no {expected}.")


def _override(config: Any, field: str, value: Any, where: str) -> Any:
    if field in _names(type(config)):
        return _built(lambda **changes: replace(config, **changes), {field: value}, where)
    for holder in _names(type(config)):
        inner = getattr(config, holder)
        items = inner if isinstance(inner, tuple) else (inner,)
        if items and all(is_dataclass(item) and field in _names(type(item)) for item in items):
            changed = tuple(_override(item, field, value, f"{where}.{holder}") for item in items)
            return replace(config, **{holder: changed if isinstance(inner, tuple) else changed[0]})
    raise BadInput(f"The configuration {where} has no setting {field!r}: leave out --{field}.")
