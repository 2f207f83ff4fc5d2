"""People, what staff may do for them, and the devices they are signed in on.

Staff never see or type another person's password: they send a link, or ask for a new one at the next sign-in.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.db.models import Func, Q, QuerySet, TextField, Value
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from accounts.admin_mail import mail_panel
from accounts.admin_panels import panels_of
from accounts.models import DeletionUndoLink, EmailChange, EmailVerificationToken, PasswordResetToken, Session, User
from accounts.services.devices import end_all_sessions, end_session
from accounts.services.passwords import send_reset_link
from accounts.services.people import end_sessions
from audit.actors import Actor
from audit.mixins import AuditedAdmin, NoDeleteMixin, ReadOnlyAdmin
from audit.models import ChangeType
from audit.services import record_password_change
from emails.services import suppression
from techdeputies.lib.admin_words import link_to

OWNERS_ONLY = ("role", "is_superuser", "groups")

ONLY_DIGITS = Func("phone", Value(r"\D"), Value(""), Value("g"), function="regexp_replace", output_field=TextField())

# A box for each, where Django's two lists need a pointer that drags.
BOXES: dict[Any, Any] = {models.ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}

# What staff may do for one person: name -> title, sentence, button.
ACTS = {
    "reset": (
        "Send a link for a new password",
        "We mail them a link that works for 1 hour. Their present password keeps working until they use it.",
        "Send the link",
    ),
    "force": (
        "Ask for a new password",
        "They are asked to choose a new password the next time they are here.",
        "Ask for a new password",
    ),
    "sign_out": (
        "Sign them out everywhere",
        "Every device they are signed in on is signed out.",
        "Sign them out",
    ),
}


class PersonForm(forms.ModelForm):
    """A person's facts. Neither address nor password is typed here once the account exists."""

    class Meta:
        model = User
        fields = ("name", "phone", "time_zone")


class NewPersonForm(forms.ModelForm):
    """An account opened for a caller. They choose the password by the link we mail them."""

    class Meta:
        model = User
        fields = ("email", "name", "phone")

    def clean_email(self) -> str:
        address: str = self.cleaned_data["email"].strip()
        if User.objects.with_email(address).exists():
            raise forms.ValidationError("There is already an account with that mail address.")
        return address


class DeletedFilter(admin.SimpleListFilter):
    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("deleted", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() is None:
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() == "open")


@admin.register(User)
class UserAdmin(NoDeleteMixin, AuditedAdmin):
    form = PersonForm
    list_display = ("name_words", "email", "role", "email_verified", "phone", "created_at")
    list_display_links = ("name_words", "email")
    list_filter = ("role", "email_verified", "must_change_password", DeletedFilter)
    ordering = ("-id",)
    search_fields = ("email", "name")
    search_help_text = "A name, a mail address, or a phone number."
    formfield_overrides = BOXES
    actions = ("sign_out",)
    change_form_template = "admin/accounts/user/change_form.html"
    fieldsets = (
        (None, {"fields": ("name", "email", "email_verified", "phone", "time_zone")}),
        ("Work here", {"fields": ("role", "groups", "is_superuser")}),
        ("Dates", {"fields": ("must_change_password", "last_login", "created_at")}),
        ("Leaving", {"fields": ("deletion_asked_at", "deleted_at", "erase_after")}),
    )
    readonly_fields = (
        "email",
        "email_verified",
        "must_change_password",
        "last_login",
        "created_at",
        "deletion_asked_at",
        "deleted_at",
        "erase_after",
    )

    # --- lists ------------------------------------------------------------------------------------
    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Words go to the indexes on name and address; digits are a phone number."""
        digits = "".join(letter for letter in search_term if letter.isdigit())
        if len(digits) >= 4 and not any(letter.isalpha() for letter in search_term):
            found = Q(phone__contains=search_term.strip()) | Q(phone__contains=digits)
            if len(digits) >= 7:
                # However either of the two is written: 312.555.0199 is found by (312) 555-0199.
                queryset = queryset.alias(phone_digits=ONLY_DIGITS)
                found |= Q(phone_digits__contains=digits)
            return queryset.filter(found), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="Name", ordering="name")
    def name_words(self, row: User) -> str:
        return row.name or "No name"

    # --- who may do what --------------------------------------------------------------------------
    def is_owner(self, request: HttpRequest) -> bool:
        """May this member of staff decide who else is staff?"""
        return request.user.has_perm("auth.change_group")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return allowed and (obj is None or not obj.is_staff or obj.pk == request.user.pk or self.is_owner(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        fixed = tuple(self.readonly_fields)
        if not self.is_owner(request) or obj.pk == request.user.pk:
            return (*fixed, *OWNERS_ONLY)
        return fixed if request.user.is_superuser else (*fixed, "is_superuser")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else ((None, {"fields": ("email", "name", "phone")}),)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            return NewPersonForm
        return super().get_form(request, obj, change=change, **kwargs)

    # --- changing ---------------------------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.set_unusable_password()
            suppression.hold(obj.email)
            obj.email_problem = suppression.problem(obj.email)
        super().save_model(request, obj, form, change)
        if not change:
            send_reset_link(obj)
        elif {"role", "is_superuser"} & set(form.changed_data):
            # What they may do has changed: their devices sign in anew.
            end_sessions(obj)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.act_view)
        return [path("<int:pk>/act/<slug:act>/", view, name="accounts_user_act"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        person = self.get_object(request, object_id)
        may = self._may_act(request, person)
        context: dict[str, Any] = {"acts": [(name, words[0]) for name, words in ACTS.items()] if may else []}
        if person is not None and request.user.has_perm("emails.view_emailjob"):
            context["mail"] = mail_panel(person)
        if person is not None:
            context["panels"] = panels_of(request, person)
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def act_view(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """Ask once, then do it."""
        if act not in ACTS:
            raise Http404
        person: User = self.found(request, pk)
        self.demand(request, self._may_act(request, person), act, person)
        title, note, button = ACTS[act]

        def do() -> None:
            with transaction.atomic():
                self._act(act, person, Actor.from_request(request))
                self._record(request, act, person)

        return self.act_page(
            request,
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=do,
            verb=act,
            target=person,
            done=f"{title}: done for {person}.",
            back_url=reverse("admin:accounts_user_change", args=[pk]),
            title=title,
            note=note,
            button=button,
            facts=[("Person", str(person)), ("Mail address", person.email)],
        )

    @staticmethod
    def _act(act: str, person: User, actor: Actor) -> None:
        if act == "reset":
            send_reset_link(person)
            record_password_change(user=person, actor=actor, change_type=ChangeType.ADMIN_RESET)
        elif act == "force":
            User.objects.filter(pk=person.pk).update(must_change_password=True)
            record_password_change(user=person, actor=actor, change_type=ChangeType.ADMIN_FORCE_CHANGE)
        else:
            end_all_sessions(user=person, actor=actor)

    def _may_act(self, request: HttpRequest, person: User | None) -> bool:
        return person is not None and person.is_active and self.has_change_permission(request, person)

    @admin.action(description="Sign them out everywhere", permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = Actor.from_request(request)
        people = [person for person in queryset.order_by("pk") if self._may_act(request, person)]
        self.run_each(
            request,
            people,
            lambda person: end_all_sessions(user=person, actor=actor),
            verb="sign_out",
            done="signed out everywhere.",
            recorded=False,
        )


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Devices. The key is a digest, and is shown to nobody all the same."""

    list_display = ("person", "user_agent", "ip_address", "last_seen_at", "created_at", "expires_at")
    list_display_links = None
    list_filter = ("last_seen_at",)
    list_select_related = ("user",)
    ordering = ("-expires_at",)
    search_fields = ("user__email__iexact",)
    search_help_text = "A whole mail address."
    actions = ("sign_out",)
    fields = ("person", "user_agent", "ip_address", "last_seen_at", "created_at", "expires_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        rows: QuerySet[Session] = super().get_queryset(request)
        return rows.defer("session_data")

    @admin.display(description="Person")
    def person(self, row: Session) -> SafeString | str:
        return link_to(row.user)

    @admin.action(description="Sign these devices out", permissions=["end"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        actor = Actor.from_request(request)
        for session in queryset.select_related("user"):
            # As on the person's page: only an owner acts on other staff.
            owner_needed = session.user.is_staff and session.user_id != request.user.pk
            if owner_needed and not request.user.has_perm("auth.change_group"):
                self._record(request, "ended", session.user, None, refusal="Not allowed.")
                self.message_user(request, f"{session.user}: Only an owner signs out other staff.", messages.ERROR)
                continue
            with transaction.atomic():
                end_session(session=session, actor=actor)
                self._record(request, "ended", session.user)
        self.message_user(request, "Signed out.", messages.SUCCESS)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.delete_session")


@admin.register(EmailChange)
class EmailChangeAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "user", "old_email", "new_email", "confirmed_at", "undone_at")
    list_select_related = ("user",)
    ordering = ("-id",)
    search_fields = ("user__email__iexact", "old_email__iexact", "new_email__iexact")
    fields = ("user", "old_email", "new_email", "created_at", "expires_at", "confirmed_at", "undone_at")
    readonly_fields = fields


class LinkAdmin(ReadOnlyAdmin):
    """Mailed links: whose, until when, whether used. Not what they hold."""

    list_select_related = ("user",)
    ordering = ("-id",)
    search_fields = ("user__email__iexact",)
    search_help_text = "A whole mail address."


@admin.register(PasswordResetToken)
class PasswordResetTokenAdmin(LinkAdmin):
    list_display = ("created_at", "user", "expires_at", "used")
    list_filter = ("used",)
    fields = list_display
    readonly_fields = fields


@admin.register(EmailVerificationToken)
class EmailVerificationTokenAdmin(LinkAdmin):
    list_display = ("created_at", "user", "expires_at", "used_at", "code_attempts")
    fields = list_display
    readonly_fields = fields


@admin.register(DeletionUndoLink)
class DeletionUndoLinkAdmin(LinkAdmin):
    list_display = ("created_at", "user", "expires_at", "used_at")
    fields = list_display
    readonly_fields = fields


admin.site.unregister(Group)


@admin.register(Group)
class AuditedGroupAdmin(AuditedAdmin, GroupAdmin):
    """What each group of staff may do. Owners only."""

    audit_plain_fields = ("name",)
    list_display = ("name",)
    filter_horizontal = ()
    formfield_overrides = BOXES

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
