"""Deleting one's own account, changing one's mind, and coming back."""

from __future__ import annotations

from django.contrib import auth, messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import services
from accounts.exceptions import LinkUsedUp, StaffStay, WrongCurrentPassword
from accounts.forms import DeleteForm, KeepAccountForm
from accounts.signed_cookies import KEEP_LINK, forget
from accounts.web import open_session, person, private, secret_of, take_token
from audit.actors import Actor
from settings_app.decorators import rate_limited, too_many
from settings_app.exceptions import LimitReached

PAGE = ["GET", "HEAD", "POST"]


@sensitive_post_parameters("current_password")
@require_http_methods(PAGE)
def delete(request: HttpRequest) -> HttpResponse:
    """What goes, what stays and why; then the password. While the deletion waits, that it does and why."""
    user = person(request)
    if user.deletion_asked_at is not None:
        return render(request, "accounts/delete_waiting.html", {"delayed": user.deletion_delayed_at is not None})
    form = DeleteForm(request.POST) if request.method == "POST" else DeleteForm()
    if request.method == "POST" and form.is_valid():
        try:
            user = services.ask_deletion(
                user=user, password=form.cleaned_data["current_password"], actor=Actor.from_request(request)
            )
        except LimitReached as blocked:
            return too_many(request, blocked.retry_after_seconds)
        except LinkUsedUp:
            return _left(request)  # another press of the same button was first
        except (WrongCurrentPassword, StaffStay) as refusal:
            form.add_error("current_password", refusal.message)
        else:
            return redirect("accounts:delete") if user.is_active else _left(request)
    return render(request, "accounts/delete.html", {"form": form, "is_staff": user.is_staff})


def _left(request: HttpRequest) -> HttpResponse:
    """To a page for everybody; what this device kept of the person's pages is thrown away."""
    auth.logout(request)
    response = redirect("accounts:delete_done")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@require_http_methods(PAGE)
def delete_keep(request: HttpRequest) -> HttpResponse:
    """Take the wish back while the deletion waits."""
    if request.method != "POST":
        return redirect("accounts:delete")
    try:
        services.keep_account(user=person(request), actor=Actor.from_request(request))
    except LinkUsedUp:
        return _left(request)
    messages.success(request, "Your account stays, and you are signed in as before.")
    return redirect("accounts:profile")


@login_not_required
@require_safe
def delete_done(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/delete_done.html")


@login_not_required
@sensitive_post_parameters("password")
@rate_limited("login")
@require_http_methods(PAGE)
def delete_undo(request: HttpRequest) -> HttpResponse:
    """Open a closed account again. Looking at the page uses nothing up."""
    if request.method != "POST" and "token" in request.GET:
        return take_token(request, KEEP_LINK)
    secret = secret_of(request, KEEP_LINK)
    owner = services.undo_link_owner(secret) if secret else None
    form = KeepAccountForm(request.POST) if request.method == "POST" else KeepAccountForm()
    if request.method == "POST" and owner is not None and form.is_valid():
        try:
            user = services.restore_account(
                secret=secret, password=form.cleaned_data["password"], actor=Actor.from_request(request)
            )
        except LimitReached as blocked:
            return too_many(request, blocked.retry_after_seconds)
        except LinkUsedUp:
            owner = None
        except WrongCurrentPassword as refusal:
            form.add_error("password", refusal.message)
        else:
            response = redirect("dashboard")
            open_session(request, response, user)
            forget(response, KEEP_LINK)
            messages.success(request, "Welcome back. Your account is open again, and you are signed in.")
            return response
    if owner is None:
        answer = private(render(request, "accounts/link_old.html", {"what": "keep"}, status=410))
        forget(answer, KEEP_LINK)
        return answer
    return private(render(request, "accounts/delete_undo.html", {"form": form, "email": owner.email}))
