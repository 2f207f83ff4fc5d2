"""One setting, typed."""

from __future__ import annotations

from typing import Any

from django import forms

from settings_app.exceptions import BadSettingValue
from settings_app.models import Setting
from settings_app.registry import KNOWN


class SettingForm(forms.ModelForm):
    """The value of one known setting as text; empty means the default. The registry checks it."""

    text = forms.CharField(label="Value", required=False, widget=forms.TextInput(attrs={"size": 60}))

    class Meta:
        model = Setting
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = KNOWN[self.instance.key]
        field = self.fields["text"]
        field.label = self.known.label + (f" ({self.known.unit})" if self.known.unit else "")
        default = "" if self.known.secret else f" If you leave it empty: {self.known.write(self.known.default)}."
        field.help_text = self.known.help + default
        if self.known.secret:
            field.widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"})
            field.help_text += " Set; type a new one to replace it." if self.instance.value else " Not set."
        else:
            field.initial = self.instance.value or ""

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if text.strip():
            try:
                self.known.read(text)
            except BadSettingValue as refusal:
                raise forms.ValidationError(refusal.message) from refusal
        return text.strip()
