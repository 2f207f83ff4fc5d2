"""The refusals of booking, each in words for the person."""

from __future__ import annotations

from techdeputies.lib.exceptions import DomainError


# --- Taking a place -------------------------------------------------------------------------------------
class EventNotOpen(DomainError):
    message = "This session does not take place. Please choose another time."


class EventStarted(DomainError):
    message = "This session has already begun. Please choose a later time."


class TooSoonToBook(DomainError):
    message = "This session begins very soon. Please call us to book this one."


class TooFarAhead(DomainError):
    message = "This day cannot be booked yet. Please choose an earlier one, or call us."


class EventFull(DomainError):
    message = (
        "Someone else has just taken that place. You are not booked, and you have not paid anything. "
        "What you wrote is kept."
    )


class EventHasChanged(DomainError):
    message = "We have changed the time of this session since you opened the page. Please look at it again."


class AlreadyBooked(DomainError):
    message = "You already have a place in that session. Please choose another time."


class ClashesWithOwn(DomainError):
    message = "You already have another session at that time. Please choose a different time."


# --- Moving and cancelling ------------------------------------------------------------------------------
class NotBooked(DomainError):
    message = "This session is cancelled. You can book another time."


class VisitHasBegun(DomainError):
    message = "This session has already begun, so it can no longer be changed here. Please call us."


class TooLateToMove(DomainError):
    message = "It is too late to move this session here. Please call us, and we will see what we can do."


# --- Staff ----------------------------------------------------------------------------------------------
class EndsBeforeStart(DomainError):
    message = "The end must be later than the start."


class StartsInThePast(DomainError):
    message = "The start is in the past. Please choose a later time."


class CapacityTooSmall(DomainError):
    message = "A session needs at least one place."


class CapacityBelowBookings(DomainError):
    message = "More people are booked than that. Please move or cancel some of them first."


class DeputyBusy(DomainError):
    message = "This deputy already has a session at that time."


class DeputyNotStaff(DomainError):
    message = "Only a member of staff can hold a session."


class EventIsCancelled(DomainError):
    message = "This session is cancelled, so it can no longer be changed."


class NotYetOver(DomainError):
    message = "The session has not begun yet, so nobody can have come or stayed away."


class HasBookings(DomainError):
    message = "People are booked for this session. Please cancel it instead."
