"""Another email address: asked for, confirmed from the new one, undone from the old one."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import services
from accounts.exceptions import AddressTaken, LinkUsedUp, SameAddress, WrongCurrentPassword
from accounts.forms import EmailChangeForm
from accounts.signed_cookies import CHANGE_LINK, UNDO_LINK, forget
from accounts.web import person, private, secret_of, take_token
from audit.actors import Actor
from settings_app.decorators import rate_limited, too_many
from settings_app.exceptions import LimitReached

PAGE = ["GET", "HEAD", "POST"]


@sensitive_post_parameters("current_password")
@require_http_methods(PAGE)
def email_change(request: HttpRequest) -> HttpResponse:
    form = EmailChangeForm(request.POST) if request.method == "POST" else EmailChangeForm()
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        try:
            services.request_email_change(
                user=person(request),
                email=email,
                password=form.cleaned_data["current_password"],
                actor=Actor.from_request(request),
            )
        except LimitReached as blocked:
            return too_many(request, blocked.retry_after_seconds)
        except WrongCurrentPassword as refusal:
            form.add_error("current_password", refusal.message)
        except SameAddress as refusal:
            form.add_error("email", refusal.message)
        else:
            messages.success(request, f"We have sent an email to {email}. Press the button in it to use that address.")
            return redirect("accounts:profile")
    return render(request, "accounts/email_change.html", {"form": form, "email": person(request).email})


@login_not_required
@rate_limited("verify")
@require_http_methods(PAGE)
def email_change_confirm(request: HttpRequest) -> HttpResponse:
    """The button behind the mail to the new address. Needs no log-in: the mail may be read elsewhere."""
    if request.method != "POST" and "token" in request.GET:
        return take_token(request, CHANGE_LINK)
    secret = secret_of(request, CHANGE_LINK)
    if request.method != "POST" and secret:
        return private(render(request, "accounts/email_change_confirm.html"))
    try:
        user = services.confirm_email_change(secret=secret, actor=Actor.from_request(request))
    except LinkUsedUp:
        return _old_link(request, CHANGE_LINK, "email")
    except AddressTaken as refusal:
        messages.error(request, refusal.message)
        response = redirect("accounts:profile")
    else:
        messages.success(request, f"Thank you. From now on you sign in with {user.email}.")
        response = redirect("accounts:profile")
    forget(response, CHANGE_LINK)
    return response


@login_not_required
@rate_limited("verify")
@require_http_methods(PAGE)
def email_change_undo(request: HttpRequest) -> HttpResponse:
    """The button behind the mail to the old address."""
    if request.method != "POST" and "token" in request.GET:
        return take_token(request, UNDO_LINK)
    secret = secret_of(request, UNDO_LINK)
    response: HttpResponse
    if request.method != "POST" and secret:
        return private(render(request, "accounts/email_change_undo.html"))
    try:
        user = services.undo_email_change(secret=secret, actor=Actor.from_request(request))
    except LinkUsedUp:
        return _old_link(request, UNDO_LINK, "undo")
    except AddressTaken as refusal:
        messages.error(request, refusal.message)
        response = redirect("home")
    else:
        response = private(
            render(request, "accounts/email_change_undone.html", {"locked": not user.has_usable_password()})
        )
    forget(response, UNDO_LINK)
    return response


def _old_link(request: HttpRequest, cookie: str, what: str) -> HttpResponse:
    response = private(render(request, "accounts/link_old.html", {"what": what}, status=410))
    forget(response, cookie)
    return response
