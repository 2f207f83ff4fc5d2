"""Refusals in Stripe's words and shape."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """What is answered instead of an object."""

    def __init__(
        self, message: str, *, status: int = 400, kind: str = "invalid_request_error", code: str = "", param: str = "",
        **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.message = message
        self.more = more

    def body(self, request_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        error["message"] = self.message
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        error["type"] = self.kind
        return {"error": {**error, **self.more}}


def missing(kind: str, object_id: str, *, param: str = "id") -> ApiError:
    """No such object. In the path (``id``) that is 404, in a parameter 400."""
    name = "configuration" if kind == "billing_portal.configuration" else kind
    status = 404 if param == "id" else 400
    return ApiError(f"No such {name}: '{object_id}'", status=status, code="resource_missing", param=param)


def unknown_params(names: list[str]) -> ApiError:
    many = "s" if len(names) > 1 else ""
    return ApiError(f"Received unknown parameter{many}: {', '.join(names)}", code="parameter_unknown", param=names[0])


def missing_param(name: str) -> ApiError:
    return ApiError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def not_played(name: str) -> ApiError:
    """A parameter Stripe knows and this stand-in does not act on: better said than silently dropped."""
    return ApiError(f"The practice Stripe does not play the parameter {name}.", param=name)


def declined(code: str, decline_code: str, message: str, **more: Any) -> ApiError:
    if decline_code:
        more["decline_code"] = decline_code
    return ApiError(message, status=402, kind="card_error", code=code, **more)
