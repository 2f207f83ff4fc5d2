"""The parameters of a request, checked against the types of the installed ``stripe`` package.

Each operation has a TypedDict there that names its parameters; an unknown or missing one, a word that is not on a list
of words, or a number that is none is refused in Stripe's own words.
"""

from __future__ import annotations

import re
import types
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from stripe import RequestOptions
from typing_extensions import get_type_hints, is_typeddict

from sandbox.stripe.errors import ApiError, missing_param, unknown_params

Params = dict[str, Any]

_MAX_METADATA = (50, 40, 500)
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_BLANK_TEXTS = frozenset({"name", "email", "phone", "description", "nickname"})
"""Texts that the API unsets with an empty value although the types do not say so."""


def read(pairs: list[tuple[str, str]], kind: type) -> Params:
    """The parameters as nested dicts and lists, with numbers and booleans as such."""
    given = _nest(pairs)
    return _check_dict(given, kind, "")


# --- brackets -----------------------------------------------------------------------------------------
def _nest(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in pairs:
        found = _NAME.match(name)
        if not found:
            raise unknown_params([name])
        keys = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])]
        place: dict[str, Any] = tree
        for key in keys[:-1]:
            inner = place.setdefault(_numbered(key, place), {})
            if not isinstance(inner, dict):
                raise ApiError(f"Invalid object: {name}", param=name)
            place = inner
        place[_numbered(keys[-1], place)] = value
    return tree


def _numbered(key: str, place: dict[str, Any]) -> str:
    return key or str(len(place))


# --- types --------------------------------------------------------------------------------------------
@cache
def _fields(kind: type) -> tuple[dict[str, Any], frozenset[str]]:
    """The parameters of a TypedDict with their types, and which of them are required."""
    named = {name: hint for name, hint in kind.__annotations__.items() if name not in RequestOptions.__annotations__}
    holder = type("Holder", (), {"__annotations__": named, "__module__": kind.__module__})
    required = frozenset(getattr(kind, "__required_keys__", frozenset()))
    return get_type_hints(holder), required & named.keys()


def _check_dict(given: dict[str, Any], kind: type, prefix: str) -> Params:
    hints, required = _fields(kind)
    strange = [_path(prefix, name) for name in given if name not in hints]
    if strange:
        raise unknown_params(strange)
    for name in hints:
        if name in required and name not in given:
            raise missing_param(_path(prefix, name))
    return {name: _check(value, hints[name], _path(prefix, name)) for name, value in given.items()}


def _path(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def _options(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return [option for part in get_args(hint) for option in _options(part)]
    return [hint]


def _check(value: Any, hint: Any, name: str) -> Any:
    options = _options(hint)
    return _check_branch(value, options, name) if isinstance(value, dict) else _check_leaf(value, options, name)


def _check_branch(value: dict[str, Any], options: list[Any], name: str) -> Any:
    for option in options:
        if is_typeddict(option):
            return _check_dict(value, option, name)
        if get_origin(option) is list:
            if not all(key.isdigit() for key in value):
                raise ApiError("Invalid array", param=name)
            (inner,) = get_args(option)
            ordered = sorted(value.items(), key=lambda pair: int(pair[0]))
            return [_check(item, inner, f"{name}[{place}]") for place, (_key, item) in enumerate(ordered)]
        if get_origin(option) is dict:
            _key, inner = get_args(option)
            checked = {key: _check_free(item, inner, _path(name, key)) for key, item in value.items()}
            if name.rpartition("[")[2].rstrip("]") == "metadata":
                _check_metadata(checked, name)
            return checked
    raise ApiError("Invalid string: an object was given", param=name)


def _check_free(value: Any, hint: Any, name: str) -> Any:
    """A value under a key of the caller's own choice: an empty one takes the key away."""
    return "" if value == "" else _check(value, hint, name)


def _check_leaf(value: str, options: list[Any], name: str) -> Any:
    words = [word for option in options if get_origin(option) is Literal for word in get_args(option)]
    if value in words:
        return value
    if value == "":
        return _check_blank(options, name)
    for plain, convert in ((bool, _boolean), (int, _integer), (float, _number), (Decimal, _decimal)):
        if plain in options:
            return convert(value, name)
    choices = [word for word in words if word]
    if choices:
        raise ApiError(f"Invalid {name}: must be one of {_listed(choices)}", param=name)
    if str in options:
        return value
    if any(get_origin(option) is list for option in options):
        raise ApiError("Invalid array", param=name)
    raise ApiError("Invalid object", param=name)


def _check_blank(options: list[Any], name: str) -> str:
    if any(get_origin(option) is dict for option in options) or name in _BLANK_TEXTS:
        return ""
    raise ApiError(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a field; however"
        f" '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=name,
    )


def _boolean(value: str, name: str) -> bool:
    if value not in ("true", "false"):
        raise ApiError(f"Invalid boolean: {value}", param=name)
    return value == "true"


def _integer(value: str, name: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", value):
        raise ApiError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def _number(value: str, name: str) -> float:
    return float(_decimal(value, name))


def _decimal(value: str, name: str) -> str:
    try:
        Decimal(value)
    except InvalidOperation:
        raise ApiError(f"Invalid decimal: {value}", param=name) from None
    return value


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}, or {words[-1]}"


# --- metadata -----------------------------------------------------------------------------------------
def _check_metadata(given: dict[str, str], name: str) -> None:
    most, longest_key, longest_value = _MAX_METADATA
    if len(given) > most:
        raise ApiError(f"You can only have up to {most} metadata keys", param=name)
    for key, value in given.items():
        if len(key) > longest_key:
            raise ApiError(
                f"Metadata keys can only be {longest_key} characters long. The key {key} is {len(key)} characters long.",
                param=name,
            )
        if len(value) > longest_value:
            raise ApiError(
                f"Metadata values can have up to {longest_value} characters, but you passed in a value that is"
                f" {len(value)} characters. Invalid value: {value}",
                param=f"{name}[{key}]",
            )


def merged(old: dict[str, str], given: Any) -> dict[str, str]:
    """Metadata after an update: empty values take their keys away, an empty string takes all."""
    if given is None:
        return old
    if given == "":
        return {}
    both = {**old, **given}
    return {key: value for key, value in both.items() if value != ""}
