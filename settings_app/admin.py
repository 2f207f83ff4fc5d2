"""Settings by group, each on its own page; and the counters of the limits."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.actors import Actor
from audit.mixins import AuditedAdmin, NoDeleteMixin, ReadOnlyAdmin
from settings_app import services
from settings_app.forms import SettingForm
from settings_app.models import RateLimit, Setting
from settings_app.registry import KNOWN, WINDOW_SECONDS


@admin.register(Setting)
class SettingAdmin(NoDeleteMixin, AuditedAdmin):
    """Every known setting has a page, whether or not a row holds a value."""

    form = SettingForm
    change_list_template = "admin/settings_app/setting/change_list.html"
    actions = None
    fields = ("text",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Setting | None:
        if object_id not in KNOWN:
            return None
        return Setting.objects.filter(key=object_id).first() or Setting(key=object_id)

    def save_model(self, request: HttpRequest, obj: Setting, form: Any, change: bool) -> None:
        """The service writes the row and the audit."""
        actor = Actor.from_request(request)
        if form.cleaned_data["text"]:
            services.set_value(obj.key, form.cleaned_data["text"], actor=actor)
        elif not form.known.secret:
            services.reset_value(obj.key, actor=actor)

    def log_change(self, request: HttpRequest, object: Any, message: Any) -> Any:
        """Written by the service."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        context = {"title": "Settings", "setting_groups": self._groups(), "has_filters": False}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    @staticmethod
    def _groups() -> list[dict[str, Any]]:
        rows = {row.key: row for row in Setting.objects.filter(key__in=KNOWN)}
        groups: dict[str, list[dict[str, Any]]] = {}
        for known in KNOWN.values():
            row = rows.get(known.key)
            if known.secret:
                words = "Set" if row else "Not set"
            else:
                words = row.value if row and row.value is not None else known.write(known.default)
            groups.setdefault(known.group, []).append(
                {
                    "key": known.key,
                    "label": known.label,
                    "words": f"{words} {known.unit}".strip(),
                    "help": known.help,
                    "is_default": row is None,
                }
            )
        return [{"name": name, "settings": lines} for name, lines in groups.items()]


class EndpointFilter(admin.SimpleListFilter):
    """From the registry: asking the table for its distinct values would read all of it."""

    title = "what was tried"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, KNOWN[key].label) for key in WINDOW_SECONDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RateLimit]) -> QuerySet[RateLimit]:
        return queryset.filter(endpoint=self.value()) if self.value() else queryset


@admin.register(RateLimit)
class RateLimitAdmin(ReadOnlyAdmin):
    """Who hit which limit. Clearing a counter lets that address or person try again at once."""

    list_display = ("what", "subject", "attempts", "limit", "window_start")
    list_filter = (EndpointFilter,)
    search_fields = ("ip_address__startswith",)
    search_help_text = "A network address, or user: and a person's number."
    ordering = ("-window_start",)
    actions = ("clear",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RateLimit]:
        return RateLimit.objects.all()

    @admin.display(description="What was tried", ordering="endpoint")
    def what(self, row: RateLimit) -> str:
        known = KNOWN.get(row.endpoint)
        return known.label if known else row.endpoint

    @admin.display(description="Who", ordering="ip_address")
    def subject(self, row: RateLimit) -> str:
        return row.ip_address

    @admin.display(description="Limit")
    def limit(self, row: RateLimit) -> SafeString | str:
        if row.endpoint not in WINDOW_SECONDS:
            return ""
        most = services.value(row.endpoint)
        kind = "bad" if row.attempts > most else "mute"
        return format_html('<span class="tag tag-{}">{}</span>', kind, most)

    @admin.action(description="Clear the counter, so they can try again", permissions=["clear"])
    def clear(self, request: HttpRequest, queryset: QuerySet[RateLimit]) -> None:
        self.run_each(
            request, list(queryset), lambda row: row.delete(), verb="cleared", done="cleared.", recorded=False
        )

    def has_clear_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("settings_app.delete_ratelimit")
