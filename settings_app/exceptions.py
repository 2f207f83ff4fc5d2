"""Refusals of settings and limits."""

from techdeputies.lib.exceptions import DomainError


class UnknownSetting(DomainError):
    message = "There is no setting of that name."


class BadSettingValue(DomainError):
    message = "That value does not fit this setting. Please check it and try again."


class CannotDecrypt(DomainError):
    """No key of SETTINGS_KEYS opens it, or it was written for another purpose. The stored text is kept."""

    message = "A stored secret cannot be read with the keys this server was started with. Check SETTINGS_KEYS."


class LimitReached(DomainError):
    """Too many tries. ``retry_after_seconds`` is the true wait."""

    message = "There were too many tries. Please wait a little and try again, or call us."

    def __init__(self, retry_after_seconds: int, message: str | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)
