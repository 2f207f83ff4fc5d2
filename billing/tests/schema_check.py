"""Does a value fit a schema of our OpenAPI file? As much of JSON Schema as that file uses, and not a word more."""

from __future__ import annotations

from typing import Any

from django.utils.dateparse import parse_datetime

_TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
_KNOWN = {
    "$ref",
    "additionalProperties",
    "description",
    "enum",
    "format",
    "items",
    "minimum",
    "oneOf",
    "properties",
    "required",
    "type",
}


def faults(value: Any, schema: dict[str, Any], document: dict[str, Any], at: str = "$") -> list[str]:
    """Every place where ``value`` is not what ``schema`` says; empty when it fits."""
    unknown = set(schema) - _KNOWN
    assert not unknown, f"This check does not know {unknown}"
    if "$ref" in schema:
        return faults(value, _resolve(schema["$ref"], document), document, at)
    if "oneOf" in schema:
        tried = [faults(value, one, document, at) for one in schema["oneOf"]]
        # What is wrong with it is told of the most likely one.
        return (
            [f"{at} fits several"] if tried.count([]) > 1 else max(tried, key=lambda found: (not found, _depth(found)))
        )
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is(value, name) for name in types):
        return [f"{at} is no {' or '.join(types)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at} is none of {schema['enum']}")
    if "minimum" in schema and value is not None and value < schema["minimum"]:
        found.append(f"{at} is too small")
    if isinstance(value, str) and schema.get("format") == "date-time":
        moment = parse_datetime(value)
        if moment is None or moment.tzinfo is None:
            found.append(f"{at} is no moment")
    if isinstance(value, list):
        for number, one in enumerate(value):
            found += faults(one, schema["items"], document, f"{at}[{number}]")
    if isinstance(value, dict):
        found += _faults_of_object(value, schema, document, at)
    return found


def _faults_of_object(value: dict[str, Any], schema: dict[str, Any], document: dict[str, Any], at: str) -> list[str]:
    properties = schema.get("properties", {})
    found = [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
    for name, one in value.items():
        if name in properties:
            found += faults(one, properties[name], document, f"{at}.{name}")
        elif schema.get("additionalProperties") is False:
            found.append(f"{at}.{name} is not described")
    return found


def _depth(found: list[str]) -> int:
    return max((fault.partition(" ")[0].count(".") for fault in found), default=0)


def _is(value: Any, name: str) -> bool:
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, _TYPES[name])


def _resolve(reference: str, document: dict[str, Any]) -> dict[str, Any]:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)
