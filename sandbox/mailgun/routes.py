"""Which path is which route, and the answers that belong to no single one."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from sandbox.mailgun import lookups, messages, suppressions
from sandbox.mailgun.account import Account
from sandbox.mailgun.wire import Refused, Request, Response, json_response, text_response

MAGNIFICENT = "Mailgun Magnificent API"

Route = tuple[str, Callable[[], Response]]


def find_route(account: Account, request: Request) -> Route | None:
    """The group (for scripted faults) and the handler of an API path; None for a path Mailgun does not know."""
    from_path = [unquote(part) for part in request.path.strip("/").split("/")]
    match from_path:
        case ["v3", domain, "messages"]:
            return "messages", _allow(request, POST=lambda: messages.post_message(account, request, domain))
        case ["v3", "domains", domain, "messages", key]:
            return "stored", _allow(request, GET=lambda: messages.get_stored(account, request, domain, key))
        case ["v3", domain, "events"]:
            return "events", _allow(request, GET=lambda: lookups.get_events(account, request, domain, ""))
        case ["v3", domain, "events", token]:
            return "events", _allow(request, GET=lambda: lookups.get_events(account, request, domain, token))
        case ["v1", "analytics", "logs"]:
            return "logs", _allow(request, POST=lambda: lookups.post_logs(account, request))
        case ["v3", domain, ("bounces" | "unsubscribes" | "complaints") as name]:
            return "suppressions", lambda: suppressions.whole_list(account, request, domain, name)
        case ["v3", domain, ("bounces" | "unsubscribes" | "complaints") as name, address]:
            return "suppressions", lambda: suppressions.one_address(account, request, domain, name, address)
    return None


def _allow(request: Request, **handlers: Callable[[], Response]) -> Callable[[], Response]:
    handler = handlers.get(request.method)
    if handler is not None:
        return handler
    return lambda: json_response({"message": "Method Not Allowed"}, 405)


def refusal(refused: Refused) -> Response:
    if refused.status == 401:  # the one answer that is not JSON
        return text_response(refused.message, 401, {"WWW-Authenticate": 'Basic realm="MG API"'})
    return json_response({"message": refused.message}, refused.status)


def magnificent() -> Response:
    """The answer to a path Mailgun does not know."""
    return text_response(MAGNIFICENT)
