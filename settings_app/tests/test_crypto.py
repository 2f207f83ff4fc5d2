from __future__ import annotations

from typing import Any

import pytest

from settings_app import crypto
from settings_app.exceptions import CannotDecrypt

OLD = "b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZDE="
NEW = "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldzE="


def test_what_is_sealed_opens_again() -> None:
    token = crypto.encrypt("geheim – ü", purpose="mail")

    assert "geheim" not in token
    assert crypto.decrypt(token, purpose="mail") == "geheim – ü"


def test_a_value_moved_to_another_place_does_not_open() -> None:
    with pytest.raises(CannotDecrypt):
        crypto.decrypt(crypto.encrypt("x", purpose="mail"), purpose="setting:x")


@pytest.mark.parametrize("token", ["", "x", "gAAAAAB", "ü", "\x00"])
def test_nonsense_does_not_open(token: str) -> None:
    with pytest.raises(CannotDecrypt):
        crypto.decrypt(token, purpose="mail")


def test_keys_rotate_without_loss(settings: Any) -> None:
    settings.SETTINGS_KEYS = [OLD]
    token = crypto.encrypt("x", purpose="mail")

    settings.SETTINGS_KEYS = [NEW, OLD]
    assert crypto.decrypt(token, purpose="mail") == "x"
    renewed = crypto.rotate(token)

    settings.SETTINGS_KEYS = [NEW]
    assert crypto.decrypt(renewed, purpose="mail") == "x"
    with pytest.raises(CannotDecrypt):
        crypto.decrypt(token, purpose="mail")
    with pytest.raises(CannotDecrypt):
        crypto.rotate(token)
