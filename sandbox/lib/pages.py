"""What the pages of stand-ins share: plain pages in the product's look, no script, nothing inline."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.lib.wire import Request, Response, typed_response

_STATIC = Path(__file__).resolve().parents[2] / "static"
_STATIC_FOLDERS = ("css", "fonts", "img")
FILE_POLICY = "default-src 'none'; sandbox"

Page = Callable[[], Response]


def policy(form_action: str = "'self'", more: str = "") -> str:
    """The content policy of a page: the product's style sheets, fonts and pictures, and no script at all."""
    return (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self';"
        f" form-action {form_action};{more} base-uri 'none'; frame-ancestors 'none'"
    )


def headers(content_policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": content_policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }


def html_response(markup: str, content_policy: str, status: int = 200) -> Response:
    content = markup.encode("utf-8", "replace")
    return typed_response(
        content, "text/html; charset=utf-8", status, {**headers(content_policy), "Cache-Control": "no-store"}
    )


def see_other(place: str) -> Response:
    return typed_response(b"", "text/plain; charset=utf-8", 303, {"Location": place})


def is_from_here(request: Request) -> bool:
    """Whether a post comes from a page of this server: another site's page may post, but not get anything done."""
    origin = request.headers.get("Origin")
    return not origin or urlsplit(origin).netloc == request.headers.get("Host")


def static_file(path: str, own_css: Path) -> Response | None:
    """The product's own style sheets, fonts and pictures, and the stand-in's few rules under their file's name."""
    if path == f"/{own_css.name}":
        file = own_css
    else:
        file = (_STATIC / path.removeprefix("/static/")).resolve()
        if not any(file.is_relative_to(_STATIC / folder) for folder in _STATIC_FOLDERS) or not file.is_file():
            return None
    kind = "font/woff2" if file.suffix == ".woff2" else mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return typed_response(file.read_bytes(), kind, 200, {**headers(FILE_POLICY), "Cache-Control": "max-age=60"})


def layout(title: str, body: str, *, brand: str, words: str, css: str, home: str = "/") -> str:
    """A whole page. ``title`` and ``body`` are markup already; without ``home`` the brand is no link."""
    badge = '<img class="brand__badge" src="/static/img/badge.svg" alt="" width="56" height="56">'
    name = f'{badge}<span class="brand__name">{escape(brand)} <span>The Tech Deputies</span></span>'
    head = f'<a class="brand" href="{home}">{name}</a>' if home else f'<span class="brand">{name}</span>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – The Tech Deputies {escape(brand.lower())}</title>
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/static/img/badge.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/css/tokens.css">
<link rel="stylesheet" href="/static/css/base.css">
<link rel="stylesheet" href="/static/css/components.css">
<link rel="stylesheet" href="/static/css/print.css">
<link rel="stylesheet" href="/{css}">
</head>
<body>
<a class="skip-link" href="#main">Skip to the main content</a>
<header class="site-header">
  <div class="wrap site-header__row">
    {head}
    <p class="soft">{words}</p>
  </div>
</header>
<main id="main" tabindex="-1">
<div class="wrap page">
{body}
</div>
</main>
</body>
</html>
"""
