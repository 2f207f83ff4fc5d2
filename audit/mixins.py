"""``AuditedAdmin``: the base of every admin page, under which no change goes unrecorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from audit.actors import Actor
from audit.masking import describe_change
from audit.services import record_admin_action
from techdeputies.lib.exceptions import DomainError
from techdeputies.lib.paging import BoundedPaginator

FILTER_ENDINGS = ("exact", "isnull", "gte", "lt", "id__exact")
"""The comparisons that Django's own list filters write into their links."""


class AuditedAdmin(admin.ModelAdmin):
    """Writes ``admin_action_audits`` for what forms, inlines, lists and bulk actions change, and for refusals.

    The row is written in the transaction of the change. Django's own log is not kept: it would store names
    in clear, which erasure could not find. A service that takes an actor records by itself; hand such work
    to ``run_each`` and record only what it refused.
    """

    audit_plain_fields: Iterable[str] = ()
    """Text columns whose values may be told because they are nobody's own, such as a plan's name."""

    linked_lookups: Iterable[str] = ()
    """Fields by which other pages link to this list, besides those of ``list_filter``."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 200
    actions_on_bottom = False
    save_on_top = False
    view_on_site = False

    # --- what a list may be asked -----------------------------------------------------------------
    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what the list itself offers. Django lets every column of the row be asked by any comparison, by
        which a password hash or a gift card's code can be read out letter by letter.
        """
        allowed: set[Any] = set(self.linked_lookups)
        for item in self.get_list_filter(request):  # type: ignore[arg-type]
            if isinstance(item, str | tuple):
                name = item if isinstance(item, str) else item[0]
                allowed |= {name, *(f"{name}__{ending}" for ending in FILTER_ENDINGS)}
            else:
                allowed.add(getattr(item, "parameter_name", ""))
        return lookup in allowed

    # --- what changed -----------------------------------------------------------------------------
    def construct_change_message(  # type: ignore[override]
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> dict[str, Any]:
        """Details of a change as the audit keeps them, in place of Django's list of words."""
        details = self._changed_fields(form, add=add)
        for formset in formsets or []:
            label = formset.model._meta.label_lower
            lines: list[dict[str, Any]] = [
                {"added": row.pk, **self._values(type(row), row, formset.form.base_fields)}
                for row in formset.new_objects
            ]
            forms = {inner.instance.pk: inner for inner in formset.initial_forms}
            for row, _names in formset.changed_objects:
                lines.append({"changed": row.pk, **self._changed_fields(forms[row.pk], add=False)})
            lines += [{"deleted": row.pk} for row in formset.deleted_objects]
            if lines:
                details[label] = lines
        return details

    def _changed_fields(self, form: Any, *, add: bool) -> dict[str, Any]:
        model = form._meta.model
        return {
            name: describe_change(
                model,
                name,
                None if add else form.initial.get(name),
                form.cleaned_data.get(name),
                self.audit_plain_fields,
            )
            for name in form.changed_data
        }

    def _values(self, model: type[models.Model], row: models.Model, names: Iterable[str]) -> dict[str, Any]:
        return {
            name: describe_change(model, name, None, getattr(row, name), self.audit_plain_fields)
            for name in names
            if hasattr(row, name) and not model._meta.get_field(name).many_to_many
        }

    def log_addition(self, request: HttpRequest, object: Any, message: Any) -> Any:
        return self._record(request, "added", object, message)

    def log_change(self, request: HttpRequest, object: Any, message: Any) -> Any:
        return self._record(request, "changed", object, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """Nothing here: ``delete_model`` and ``delete_queryset`` record, in the transaction that deletes."""
        return []

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        with transaction.atomic():
            self._record(request, "deleted", obj)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with transaction.atomic():
            for row in queryset:
                self._record(request, "deleted", row)
            super().delete_queryset(request, queryset)

    def action_name(self, verb: str) -> str:
        """``booking.calendarevent.changed``: what the row was about, and what was done."""
        return f"{self.opts.label_lower}.{verb}"

    def _record(
        self,
        request: HttpRequest,
        verb: str,
        target: models.Model | None = None,
        details: dict[str, Any] | None = None,
        refusal: str = "",
    ) -> Any:
        return record_admin_action(
            actor=Actor.from_request(request),
            action=self.action_name(verb),
            target=target,
            details=details or None,
            success=not refusal,
            error_message=refusal,
        )

    # --- what was refused -------------------------------------------------------------------------
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return self._guarded(
            request, "changed" if object_id else "added", super().changeform_view, object_id, *args, **kwargs
        )

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._guarded(request, "deleted", super().delete_view, object_id, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if _holds_nul(request) or not self._names_rows(request):
            return redirect(request.path)
        return self._guarded(request, "listed", super().changelist_view, *args, **kwargs)

    def _names_rows(self, request: HttpRequest) -> bool:
        """Could the rows ticked for an action exist at all?"""
        try:
            for raw in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(raw)
        except ValidationError:
            return False
        return True

    def _guarded(self, request: HttpRequest, verb: str, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a page; what it refuses is written down after its transaction is gone."""
        try:
            return view(request, *args, **kwargs)
        except PermissionDenied:
            details = {"id": args[0]} if args and isinstance(args[0], str) else None
            self._record(request, verb, None, details, refusal="Not allowed.")
            raise
        except DomainError as refusal:
            # A service said no while a form was being saved. Forms ask first, so this is a lost race.
            self._record(request, verb, None, None, refusal=type(refusal).__name__)
            self.message_user(request, refusal.message, messages.ERROR)
            return redirect(request.get_full_path())

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """A form shown again after a press was not saved: which fields said no is a refused change."""
        if request.method == "POST" and context.get("errors"):
            form = context["adminform"].form
            wrong = {"refused": sorted(form.errors)}
            verb = "added" if context.get("add") else "changed"
            self._record(request, verb, context.get("original"), wrong, refusal="The form had mistakes.")
        return super().render_change_form(request, context, *args, **kwargs)

    # --- actions ----------------------------------------------------------------------------------
    def run_each(
        self,
        request: HttpRequest,
        rows: Iterable[models.Model],
        service: Callable[[Any], Any],
        *,
        verb: str,
        done: str,
        recorded: bool = True,
    ) -> None:
        """Call ``service`` for each row and say by name what was refused.

        ``done`` completes "3 ...". ``recorded`` is False for a service that leaves no audit row of its own.
        """
        count = 0
        for row in rows:
            try:
                with transaction.atomic():
                    service(row)
                    if not recorded:
                        self._record(request, verb, row)
            except DomainError as refusal:
                self._record(request, verb, row, None, refusal=type(refusal).__name__)
                self.message_user(request, f"{row}: {refusal.message}", messages.ERROR)
            else:
                count += 1
        if count:
            self.message_user(request, f"{count} {done}", messages.SUCCESS)

    # --- pages of one act -------------------------------------------------------------------------
    def demand(self, request: HttpRequest, is_allowed: bool, verb: str, target: models.Model | None = None) -> None:
        """Refuse a page of staff, and write the refusal down. Raises PermissionDenied."""
        if not is_allowed:
            self._record(request, verb, target, None, refusal="Not allowed.")
            raise PermissionDenied

    def act_page(
        self,
        request: HttpRequest,
        *,
        form: Any,
        act: Callable[[], Any],
        verb: str,
        target: models.Model | None,
        done: str | Callable[[Any], str],
        back_url: str,
        **context: Any,
    ) -> HttpResponse:
        """Ask once, then call ``act`` (a service that records itself) and go back; or say why not.

        ``done`` may be made from what ``act`` returns. ``context`` holds title, button and what else ``admin/act.html`` shows.
        """
        if request.method == "POST" and form.is_valid():
            try:
                result = act()
            except DomainError as refusal:
                self._record(request, verb, target, None, refusal=type(refusal).__name__)
                form.add_error(None, refusal.message)
            else:
                self.message_user(request, done(result) if callable(done) else done, messages.SUCCESS)
                return redirect(back_url)
        page = {**self.admin_site.each_context(request), "opts": self.opts, "form": form, "back_url": back_url}
        return TemplateResponse(request, "admin/act.html", {**page, **context})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """As Django's, but an address with a NUL names no row instead of upsetting the database."""
        return None if "\x00" in object_id else super().get_object(request, object_id, from_field)

    def found(self, request: HttpRequest, pk: Any) -> Any:
        """The row of that key, whatever the address holds; else 404."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        return row

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The row's history is the audit, filtered."""
        address = reverse("admin:audit_adminactionaudit_changelist")
        return redirect(f"{address}?object_type={self.opts.label_lower}&object_id={object_id}")


class ReadOnlyAdmin(AuditedAdmin):
    """Ledgers, queues and logs: to be read, searched and filtered, not changed."""

    actions: Any = None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NoDeleteMixin:
    """Rows that are ended, cancelled or stopped, but never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _holds_nul(request: HttpRequest) -> bool:
    """PostgreSQL keeps no NUL in a text, and says so with an error instead of no rows."""
    values = [*request.GET.lists(), *request.POST.lists()]
    return any("\x00" in text for _name, texts in values for text in texts)
