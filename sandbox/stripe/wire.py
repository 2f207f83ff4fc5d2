"""Requests to Stripe's API: a bearer key, and parameters in the query or in an urlencoded body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

from sandbox.lib import wire
from sandbox.lib.wire import MAX_FIELDS, Response, json_response, text_response, typed_response

__all__ = ["MAX_BODY_BYTES", "Request", "Response", "json_response", "text_response", "typed_response"]

MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Request(wire.Request):
    """A request with what Stripe reads of it."""

    @property
    def key(self) -> str:
        """The key of ``Authorization: Bearer``; empty when there is none."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""

    @cached_property
    def form(self) -> list[tuple[str, str]]:
        """The parameters in the order given: of the body, and for GET and DELETE of the query.

        ValueError when there are more than anybody needs.
        """
        source = self.query_string if self.method in ("GET", "DELETE") else self.body.decode("utf-8", "replace")
        return parse_qsl(source, keep_blank_values=True, max_num_fields=MAX_FIELDS)

    def first(self, name: str) -> str:
        """The first value of a parameter; empty when it is not given."""
        return next((value for given, value in self.form if given == name), "")
