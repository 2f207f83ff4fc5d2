"""The API in the words of OpenAPI 3.1: one dictionary, served as it stands. A test holds the real answers to it."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from billing.models import PlanTier

_MOMENT = {"type": "string", "format": "date-time"}


def _thing(properties: dict[str, Any], *, description: str = "") -> dict[str, Any]:
    """An object that has exactly these properties, all of them always."""
    words = {"description": description} if description else {}
    return {
        "type": "object",
        **words,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [schema, {"type": "null"}]}


def _json(description: str, name: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"description": description, "content": content}


SCHEMAS: dict[str, Any] = {
    "Answer": _thing(
        {"subscription": _or_null({"$ref": "#/components/schemas/Subscription"})},
        description="The person's plan, their own or the one they share; null without one.",
    ),
    "Subscription": _thing(
        {
            "plan": _thing(
                {"name": {"type": "string"}, "tier": {"type": "string", "enum": PlanTier.values}},
            ),
            "status": {
                "type": "string",
                "enum": ["active", "past_due"],
                "description": "past_due: the last payment did not go through.",
            },
            "is_on_hold": {
                "type": "boolean",
                "description": "A payment is disputed; the plan gives nothing meanwhile.",
            },
            "is_bought": {"type": "boolean", "description": "False for a plan that was given."},
            "can_book_sessions": {"type": "boolean"},
            "period": _thing({"start": _MOMENT, "end": _MOMENT}, description="The month that runs now."),
            "sessions": _thing(
                {
                    "limit": {"type": ["integer", "null"], "minimum": 1, "description": "Null: no limit."},
                    "used": {"type": "integer", "minimum": 0},
                    "left": {"type": ["integer", "null"], "minimum": 0, "description": "Null: no limit."},
                },
                description="Of this month, and of everybody who shares the plan.",
            ),
            "grace_until": {
                **_MOMENT,
                "type": ["string", "null"],
                "description": "Until when courses and help go on after a payment that did not go through.",
            },
            "cancellation": _or_null(
                _thing({"ends_at": _MOMENT}, description="Set when the plan will not be renewed.")
            ),
            "planned_change": _or_null(
                _thing({"plan": {"type": "string"}, "at": _MOMENT}, description="The plan from the next month on.")
            ),
            "family": {"oneOf": [{"$ref": "#/components/schemas/Owner"}, {"$ref": "#/components/schemas/Member"}]},
        }
    ),
    "Owner": _thing(
        {
            "role": {"type": "string", "enum": ["owner"]},
            "size": {"type": "integer", "minimum": 1, "description": "People the plan is for, the owner among them."},
            "members": {"type": "array", "items": _thing({"name": {"type": "string"}})},
            "open_invitations": {"type": "integer", "minimum": 0},
        },
        description="It is the person's own plan.",
    ),
    "Member": _thing(
        {"role": {"type": "string", "enum": ["member"]}, "owner_first_name": {"type": "string"}},
        description="The person shares somebody's plan.",
    ),
    "Error": _thing(
        {"error": _thing({"code": {"type": "string"}, "message": {"type": "string"}})},
    ),
}


def document() -> dict[str, Any]:
    """The whole description, with this site's own address."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The Tech Deputies",
            "version": "1.0.0",
            "description": "What a signed-in person can ask about their plan.",
        },
        "servers": [{"url": settings.SITE_URL}],
        "paths": {
            "/api/subscriptions": {
                "get": {
                    "operationId": "readSubscription",
                    "summary": "The plan of the person who is signed in",
                    "security": [{"session": []}],
                    "responses": {
                        "200": _json("The plan, or null.", "Answer"),
                        "401": _json("Nobody is signed in.", "Error"),
                        "405": _json("Another method than GET.", "Error"),
                        "429": {
                            **_json("Asked too often.", "Error"),
                            "headers": {
                                "Retry-After": {
                                    "description": "Seconds to wait.",
                                    "schema": {"type": "integer", "minimum": 1},
                                }
                            },
                        },
                    },
                }
            },
            "/api/openapi.json": {
                "get": {
                    "operationId": "readDescription",
                    "summary": "This description",
                    "responses": {
                        "200": {
                            "description": "An OpenAPI 3.1 document.",
                            "content": {"application/json": {"schema": {"type": "object"}}},
                        },
                        "405": _json("Another method than GET.", "Error"),
                        "429": _json("Asked too often.", "Error"),
                    },
                }
            },
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
            },
        },
    }
