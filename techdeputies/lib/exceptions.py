"""The base of every refusal that a person is told about."""


class DomainError(Exception):
    """A rule said no. ``message`` is one plain sentence for the person, with what to do next.

    Subclasses set ``message``; a raiser may give other words when it knows more.
    """

    message = "That did not work. Please try again, or call us."

    def __init__(self, message: str | None = None) -> None:
        if message is not None:
            self.message = message
        super().__init__(self.message)
