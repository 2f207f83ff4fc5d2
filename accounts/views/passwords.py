"""Forgotten passwords and new ones."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import services
from accounts.exceptions import LinkUsedUp, WeakPassword, WrongCurrentPassword
from accounts.forms import ChangePasswordForm, NewPasswordForm, ResetRequestForm
from accounts.models import User
from accounts.signed_cookies import RESET_LINK, forget
from accounts.web import at_least, open_session, person, private, secret_of, take_token
from audit.actors import Actor
from settings_app.decorators import rate_limited, too_many
from settings_app.exceptions import LimitReached

RESET_SECONDS = 0.1
PAGE = ["GET", "HEAD", "POST"]


@login_not_required
@rate_limited("reset")
@require_http_methods(PAGE)
def password_reset(request: HttpRequest) -> HttpResponse:
    form = ResetRequestForm(request.POST or None) if request.method == "POST" else ResetRequestForm()
    if request.method == "POST" and form.is_valid():
        try:
            with at_least(RESET_SECONDS):
                services.request_reset(email=form.cleaned_data["email"], actor=Actor.from_request(request))
        except LimitReached as blocked:
            return too_many(request, blocked.retry_after_seconds)
        return redirect("accounts:password_reset_sent")
    return render(request, "accounts/password_reset.html", {"form": form})


@login_not_required
@require_safe
def password_reset_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/password_reset_sent.html")


@login_not_required
@sensitive_post_parameters("password")
@rate_limited("reset")
@require_http_methods(PAGE)
def password_reset_confirm(request: HttpRequest) -> HttpResponse:
    """Choose a new password by a mailed link. Looking at the page uses nothing up."""
    if request.method != "POST" and "token" in request.GET:
        return take_token(request, RESET_LINK)
    secret = secret_of(request, RESET_LINK)
    owner = services.reset_link_owner(secret) if secret else None
    form = NewPasswordForm(request.POST) if request.method == "POST" else NewPasswordForm()
    if request.method == "POST" and secret and form.is_valid():
        try:
            user = services.reset_password(
                secret=secret, password=form.cleaned_data["password"], actor=Actor.from_request(request)
            )
        except LinkUsedUp:
            owner = None
        except WeakPassword as refusal:
            form.add_error("password", refusal.message)
        else:
            return _signed_in_afresh(request, user)
    if owner is None:
        response = private(render(request, "accounts/link_old.html", {"what": "password"}, status=410))
        forget(response, RESET_LINK)
        return response
    return private(render(request, "accounts/password_reset_confirm.html", {"form": form, "email": owner.email}))


def _signed_in_afresh(request: HttpRequest, user: User) -> HttpResponse:
    response = redirect("dashboard")
    open_session(request, response, user)
    forget(response, RESET_LINK)
    messages.success(request, "Your new password is set, and you are signed in. All other devices are signed out.")
    return response


@sensitive_post_parameters("current_password", "password")
@require_http_methods(PAGE)
def password_change(request: HttpRequest) -> HttpResponse:
    user = person(request)
    form = ChangePasswordForm(request.POST) if request.method == "POST" else ChangePasswordForm()
    if request.method == "POST" and form.is_valid():
        try:
            services.change_password(
                user=user,
                current=form.cleaned_data["current_password"],
                password=form.cleaned_data["password"],
                actor=Actor.from_request(request),
                keep=request.session.row_id,  # type: ignore[attr-defined]
            )
        except LimitReached as blocked:
            return too_many(request, blocked.retry_after_seconds)
        except WrongCurrentPassword as refusal:
            form.add_error("current_password", refusal.message)
        except WeakPassword as refusal:
            form.add_error("password", refusal.message)
        else:
            update_session_auth_hash(request, user)
            messages.success(request, "Your new password is set. All other devices are signed out.")
            return redirect("accounts:profile")
    return render(request, "accounts/password_change.html", {"form": form, "asked": user.must_change_password})
