"""Requests as they arrive and answers as they leave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self
from urllib.parse import parse_qsl

MAX_FIELDS = 5000


@dataclass(frozen=True)
class Request:
    """One request. ``headers`` are found whatever their case; ``path`` is as it was sent, without the query."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, other: Request) -> Self:
        """The same request as one that a vendor's words can be asked of."""
        return cls(other.method, other.path, other.query_string, other.headers, other.body)

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def media_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Response:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The Content-Type is one of them; the length is written by the server."""


def json_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return typed_response(json.dumps(data).encode(), "application/json; charset=utf-8", status, headers)


def text_response(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return typed_response(text.encode(), "text/plain; charset=utf-8", status, headers)


def typed_response(
    body: bytes, content_type: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(status, body, {"Content-Type": content_type, **(headers or {})})
