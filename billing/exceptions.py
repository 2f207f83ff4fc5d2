"""The refusals of plans and money."""

from techdeputies.lib.exceptions import DomainError


class NoActivePlan(DomainError):
    message = "You do not have a plan yet. Please call us and we will set one up with you."


class VisitsUsedUp(DomainError):
    message = "You have used all your sessions for this month. You can also call us."


class PlanPaused(DomainError):
    message = (
        "Your bank did not let the last payment through, so new sessions have to wait. "
        "The sessions you have booked are kept. Please call us and we will sort it out."
    )


class PlanAlreadyActive(DomainError):
    message = "This person already has a plan. Please end that one first."


class PlanAlreadyEnded(DomainError):
    message = "This plan has already ended."
