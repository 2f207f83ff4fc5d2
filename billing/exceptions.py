"""The refusals of plans and money."""

from techdeputies.lib.exceptions import DomainError


class NoActivePlan(DomainError):
    message = "You do not have a plan yet. Please choose one first, or call us."


class VisitsUsedUp(DomainError):
    message = "You have used all your sessions for this month. You can also call us."


class PlanPaused(DomainError):
    message = (
        "Your bank did not let the last payment through, so new sessions have to wait. "
        "The sessions you have booked are kept. Please look at your card on the page of your plan, or call us."
    )
    shared = (
        "A payment for the plan you share did not go through, so new sessions have to wait. "
        "The sessions you have booked are kept. Please ask the person who shares it with you, or call us."
    )


class PlanFrozen(DomainError):
    message = (
        "Your bank has asked us about a payment for your plan, so the plan has to wait until that is settled. "
        "Please call us if you did not expect this."
    )
    shared = (
        "The plan you share has to wait until a payment for it is settled. "
        "Please ask the person who shares it with you, or call us."
    )


class PlanAlreadyActive(DomainError):
    message = "This person already has a plan. Please end that one first."
    shared = "This person shares somebody's plan. Please take them off that one first."


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


class AccountLeaves(DomainError):
    message = "You asked us to delete your account. Please take that back first, then you can choose a plan."


class PlanNotOffered(DomainError):
    message = "This plan cannot be chosen at the moment. Please look at the other plans, or call us."


class HasPlanAlready(DomainError):
    message = "You have a plan already, so nothing was taken. You can change it on the page of your plan."


class SharesPlanAlready(DomainError):
    message = "You share somebody's plan. Please leave that one first, then you can choose your own."


class PaymentPending(DomainError):
    message = "Your payment is still on its way to us, so please do not pay again. Please look again in a few minutes."


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


class PaymentOwed(DomainError):
    message = "Your last payment has not gone through yet. Please put that right first, then you can change your plan."


class PlanStops(DomainError):
    message = "Your plan is set to stop. Please choose to keep it first, then you can change it."


class PlanOnHold(DomainError):
    message = "We have a question about a payment for your plan, so it cannot be changed right now. Please call us."


class OutcomeUnknown(StripeUnavailable):
    """The answer to a change that takes money got lost. A repeat under the same key cannot take it twice."""

    message = (
        "The payment company has not answered, so we do not know yet if your plan has changed. "
        "Nothing is lost, and you will not pay twice. Please look at your plan again in a few minutes."
    )


class FamilyFull(DomainError):
    message = "All places of your plan are taken. You can take somebody off it, or choose a bigger plan."


class AlreadyInvited(DomainError):
    message = "You have asked this person already. The email is on its way to them."


class CannotInviteSelf(DomainError):
    message = "This is your own email address. Please write the address of the person you want to share with."


class AlreadyShares(DomainError):
    message = "The person you asked at this address shares your plan already."


class NotThePlansOwner(DomainError):
    message = "You share this plan with somebody. Only the person whose plan it is can ask others to share it."


class InvitationOver(DomainError):
    message = "This invitation does not work any more. Please ask the person who sent it for a new one."


class NotAMember(DomainError):
    message = "This person does not share the plan any more."


class RefundTooMuch(DomainError):
    message = "That is more than is left of this payment. Please choose a smaller sum."


class NothingToRefund(RefundTooMuch):
    message = "This payment has been given back already, or was not made by card."


class PaymentMovedOn(RefundTooMuch):
    message = "Something was given back of this payment meanwhile. Please look at it, and then choose again."


class PaymentDisputed(RefundTooMuch):
    message = "The bank is looking into this payment, so nothing can be given back until it has decided."


class NothingToApply(DomainError):
    message = "This event is not waiting for anything."
