"""The product with its kept fragments forgotten before each request, to see what rendering them costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from techdeputies.lib import fragments
from techdeputies.wsgi import application as product


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    fragments.forget_all()
    return product(environ, start_response)
