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


class StripeUnavailable(DomainError):
    """No answer, or none that makes sense. Whether the call was carried out is not known."""

    message = "We cannot reach the payment company right now. Nothing was taken. Please try again in a few minutes."


class StripeRefused(DomainError):
    """Stripe does not do this. ``code`` and ``detail`` are for the log, never for the person."""

    message = "The payment company did not accept this. Nothing was taken. Please call us and we will sort it out."

    def __init__(self, message: str = "", *, code: str = "", detail: str = "") -> None:
        super().__init__(*([message] if message else []))
        self.code, self.detail = code, detail


class StripeMissing(StripeRefused):
    """Stripe knows nothing under this id."""


class CardDeclined(DomainError):
    message = "Your bank did not let the payment through, so nothing has changed. Please try another card, or call us."

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(*([message] if message else []))
        self.code = code


class PlanNotOffered(DomainError):
    message = "This plan cannot be chosen at the moment. Please look at the other plans, or call us."


class HasPlanAlready(DomainError):
    message = "You have a plan already, so nothing was taken. You can change it on the page of your plan."


class SharesPlanAlready(DomainError):
    message = "You share somebody's plan. Please leave that one first, then you can choose your own."


class CheckoutNotYours(DomainError):
    message = "We could not find this payment. Please look at your payments, or call us."


class NotBoughtHere(DomainError):
    message = "This plan was not bought with a card, so there is nothing to change here. Please call us."


class NothingToKeep(DomainError):
    message = "Your plan is not set to stop, so nothing had to be changed."


class PreviewTooOld(DomainError):
    message = "These sums were worked out a while ago. Please look at them again before you go on."


class AlreadyOnPlan(DomainError):
    message = "You are on this plan already."


class FamilyFull(DomainError):
    message = "All places of your plan are taken. You can take somebody off it, or choose a bigger plan."


class AlreadyInvited(DomainError):
    message = "You have asked this person already. The email is on its way to them."


class CannotInviteSelf(DomainError):
    message = "This is your own email address. Please write the address of the person you want to share with."


class InvitationOver(DomainError):
    message = "This invitation does not work any more. Please ask the person who sent it for a new one."


class NotAMember(DomainError):
    message = "This person does not share the plan any more."


class RefundTooMuch(DomainError):
    message = "That is more than is left of this payment. Please choose a smaller sum."


class NothingToRefund(DomainError):
    message = "This payment has been given back already, or was not made by card."


class NothingToApply(DomainError):
    message = "This event is not waiting for anything."
