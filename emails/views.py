"""The pages on which people choose their mail: one for who is signed in, one behind the link in each mail."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from emails import unsubscribing
from emails.forms import ChoicesForm
from emails.models import Choice
from emails.services import preferences, suppression
from settings_app.decorators import rate_limited

PAGE = ["GET", "HEAD", "POST"]

WHAT = {
    Choice.NEWS: "news and tips",
    Choice.REMINDERS: "reminders before a session",
}


@require_http_methods(PAGE)
def choices(request: HttpRequest) -> HttpResponse:
    """Emails you get."""
    email = _address(request)
    if request.method == "POST":
        form = ChoicesForm(request.POST)
        if form.is_valid():
            preferences.save(email=email, **form.cleaned_data)
            messages.success(request, "Saved. You get the emails you have chosen.")
            return redirect("emails:choices")
    now = preferences.get(email)
    form = ChoicesForm(initial={"wants_news": now.wants_news, "wants_reminders": now.wants_reminders})
    context = {"form": form, "email": email, "problem": suppression.problem(email)}
    return render(request, "emails/choices.html", context)


@csrf_exempt
@login_not_required
@rate_limited("unsubscribe")
@require_http_methods(PAGE)
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the link stops; stop it on a press, of the person's or of their mail program (RFC 8058).

    The token is the right, so neither log-in nor cookie is asked for: mail programs have none. A GET changes
    nothing, since scanners open every link in a mail.
    """
    known = unsubscribing.read_token(token)
    if known is None:
        return _closed(render(request, "emails/unsubscribe_unknown.html", status=404))
    email, choice = known
    state = "ask"
    if request.method == "POST":
        if request.POST.get("act") == "again":
            preferences.resume(email=email, choice=choice)
            state = "again"
        else:
            preferences.unsubscribe(email=email, choice=choice)
            state = "stopped"
    elif not preferences.get(email).wants(choice):
        state = "stopped"
    context = {"state": state, "what": WHAT[choice], "choice": choice.value, "address": masked(email)}
    return _closed(render(request, "emails/unsubscribe.html", context))


def masked(email: str) -> str:
    """``m•••@example.com``: enough for its owner to know it again."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}•••@{domain}"


def _address(request: HttpRequest) -> str:
    user: Any = request.user
    return str(user.email)


def _closed(response: HttpResponse) -> HttpResponse:
    """Kept by nobody and found by no search."""
    response.headers["Cache-Control"] = "no-store, private"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
