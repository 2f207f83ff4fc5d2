"""Signing up, proving the address, signing in and out."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

from django.contrib import auth, messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import services
from accounts.exceptions import CodeNotRight, LinkUsedUp, WeakPassword, WrongPassword
from accounts.forms import CodeForm, LoginForm, SignUpForm
from accounts.signed_cookies import SIGNING_UP, VERIFY_LINK, forget, recall, remember
from accounts.web import (
    at_least,
    device_of,
    go_on,
    mark_device,
    open_session,
    own_path,
    person,
    private,
    secret_of,
    take_token,
    wanted,
)
from audit.actors import Actor
from settings_app.decorators import rate_limited, too_many
from settings_app.exceptions import LimitReached

SIGN_UP_SECONDS = 0.2
RESEND_SECONDS = 0.1
PAGE = ["GET", "HEAD", "POST"]


@login_not_required
@sensitive_post_parameters("password")
@rate_limited("signup")
@require_http_methods(PAGE)
def signup(request: HttpRequest) -> HttpResponse:
    goal = wanted(request)
    if request.user.is_authenticated:
        return go_on(goal)
    form = SignUpForm(request.POST) if request.method == "POST" else SignUpForm(initial={"email": _started(request)[0]})
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        browser = secrets.token_urlsafe(16)
        try:
            with at_least(SIGN_UP_SECONDS):
                services.sign_up(
                    name=typed["name"],
                    email=typed["email"],
                    password=typed["password"],
                    time_zone=typed["time_zone"],
                    browser=browser,
                    actor=Actor.from_request(request),
                )
        except WeakPassword as refusal:
            form.add_error("password", refusal.message)
        else:
            response = redirect("accounts:verify")
            remember(response, SIGNING_UP, {"email": typed["email"], "browser": browser, "next": goal})
            return response
    return private(render(request, "accounts/signup.html", {"form": form, "next": goal}))


def _started(request: HttpRequest) -> tuple[str, str, str]:
    """What this visitor's sign-up left in the cookie: address, the browser's secret, where they were going."""
    found: Any = recall(request, SIGNING_UP)
    if not isinstance(found, dict):
        return "", "", ""
    return str(found.get("email", "")), str(found.get("browser", "")), own_path(found.get("next"))


@login_not_required
@rate_limited("verify")
@require_http_methods(PAGE)
def verify(request: HttpRequest) -> HttpResponse:
    """Prove an address: by the button of a mailed link, or by typing the mailed code."""
    if request.method != "POST" and "token" in request.GET:
        return take_token(request, VERIFY_LINK)
    secret = secret_of(request, VERIFY_LINK)
    if request.method == "POST":
        if "code" in request.POST:
            return _verify_by_code(request)
        return _verify_by_link(request, secret) if secret else redirect("accounts:verify")
    if secret:
        return private(render(request, "accounts/verify_link.html"))
    if request.user.is_authenticated and person(request).email_verified:
        return go_on(_started(request)[2])
    return _look_in_your_email(request, CodeForm())


def _address_to_prove(request: HttpRequest) -> str:
    if request.user.is_authenticated and not person(request).email_verified:
        return person(request).email
    return _started(request)[0]


def _look_in_your_email(request: HttpRequest, form: CodeForm, *, old_link: bool = False) -> HttpResponse:
    context = {"form": form, "email": _address_to_prove(request), "old_link": old_link}
    return private(render(request, "accounts/verify.html", context))


def _verify_by_link(request: HttpRequest, secret: str) -> HttpResponse:
    try:
        proven = services.verify_by_link(
            secret=secret,
            browser=_started(request)[1],
            actor=Actor.from_request(request),
            keep=request.session.row_id,  # type: ignore[attr-defined]
        )
    except LinkUsedUp:
        if request.user.is_authenticated and person(request).email_verified:
            response = private(render(request, "accounts/verify_done.html"))
        else:
            response = _look_in_your_email(request, CodeForm(), old_link=True)
        forget(response, VERIFY_LINK)
        return response
    return _after_proof(request, proven)


def _verify_by_code(request: HttpRequest) -> HttpResponse:
    email = _address_to_prove(request)
    form = CodeForm(request.POST)
    if not email:
        return redirect("accounts:verify")
    if not form.is_valid():
        return _look_in_your_email(request, form)
    try:
        with at_least(RESEND_SECONDS):
            proven = services.verify_by_code(
                email=email,
                code=form.cleaned_data["code"],
                browser=_started(request)[1],
                actor=Actor.from_request(request),
                keep=request.session.row_id,  # type: ignore[attr-defined]
            )
    except LimitReached as blocked:
        return too_many(request, blocked.retry_after_seconds)
    except CodeNotRight as refusal:
        form.add_error("code", refusal.message)
        return _look_in_your_email(request, form)
    return _after_proof(request, proven)


def _after_proof(request: HttpRequest, proven: services.Proven) -> HttpResponse:
    """On to where the person was going: signed in where this browser signed up, else by way of the log-in."""
    goal = _started(request)[2]
    signed_in = request.user.is_authenticated and person(request).pk == proven.user.pk
    if proven.same_browser:
        response = go_on(goal)
        open_session(request, response, proven.user)
        messages.success(request, "Thank you. Your address is confirmed, and you are signed in.")
    elif proven.password_mailed:
        response = redirect("accounts:login")
        messages.success(
            request,
            "Thank you. Your address is confirmed. We have just sent you one more email, with a link to choose your password.",
        )
    elif signed_in or request.user.is_authenticated:
        response = go_on(goal)
        messages.success(request, "Thank you. The address is confirmed.")
    else:
        response = redirect(f"{reverse('accounts:login')}{'?' + urlencode({'next': goal}) if goal else ''}")
        messages.success(request, "Thank you. Your address is confirmed. Now you can sign in.")
    # Whoever reads the mailbox is the owner: this device is known from now on.
    mark_device(request, response, proven.user)
    forget(response, VERIFY_LINK)
    forget(response, SIGNING_UP)
    return response


@login_not_required
@rate_limited("verify")
@require_http_methods(PAGE)
def verify_send(request: HttpRequest) -> HttpResponse:
    """Mail the proof once more. The same answer for every address."""
    email = _address_to_prove(request)
    if request.method != "POST" or not email:
        return redirect("accounts:verify")
    try:
        with at_least(RESEND_SECONDS):
            services.resend(email=email, browser=_started(request)[1], actor=Actor.from_request(request))
    except LimitReached as blocked:
        return too_many(request, blocked.retry_after_seconds)
    messages.success(request, "We have sent the email again. Please use the newest one.")
    response = redirect("accounts:verify")
    forget(response, VERIFY_LINK)
    return response


@login_not_required
@sensitive_post_parameters("password")
@rate_limited("login")
@require_http_methods(PAGE)
def login(request: HttpRequest) -> HttpResponse:
    goal = wanted(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return go_on(goal)
        return render(request, "accounts/login.html", {"form": LoginForm(), "next": goal})
    form = LoginForm(request.POST)
    if form.is_valid():
        actor, device = Actor.from_request(request), device_of(request)
        try:
            user = services.log_in(
                email=form.cleaned_data["email"],
                password=form.cleaned_data["password"],
                actor=actor,
                device=device,
            )
        except LimitReached as blocked:
            return too_many(request, blocked.retry_after_seconds)
        except WrongPassword as refusal:
            form.add_error("password", refusal.message)
        else:
            response = go_on(goal)
            open_session(request, response, user)
            services.tell_of_new_device(
                user=user,
                device=device,
                session_row=request.session.row_id,  # type: ignore[attr-defined]
                actor=actor,
                browser=_started(request)[1],
            )
            if not user.email_verified and response["Location"] not in _pages_that_ask_for_the_proof():
                messages.warning(request, "Please confirm your email address. You cannot book before that.")
            return response
    return private(render(request, "accounts/login.html", {"form": form, "next": goal}))


def _pages_that_ask_for_the_proof() -> list[str]:
    """They say it themselves; a second time would be noise."""
    return [reverse(name) for name in ("dashboard", "accounts:profile", "accounts:verify")]


@login_not_required
@require_http_methods(PAGE)
def logout(request: HttpRequest) -> HttpResponse:
    """Signing out is a POST; who types the address gets a button."""
    if request.method != "POST":
        return render(request, "accounts/logout.html")
    if request.user.is_authenticated:
        services.note_log_out(user=person(request), actor=Actor.from_request(request))
    auth.logout(request)
    messages.success(request, "You are signed out of this device.")
    return signed_out()


def signed_out() -> HttpResponse:
    """To the front page, and what this device kept of the pages is thrown away."""
    response = redirect("home")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
