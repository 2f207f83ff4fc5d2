"""What a plan gives, in words: worded here once from the columns of its row, for every page."""

from __future__ import annotations

from dataclasses import dataclass

from billing.models import CourseInclusion, Plan, SupportTier
from techdeputies.lib.money import money

COURSES = {
    CourseInclusion.NONE: ("Not included", "Courses", " are not included"),
    CourseInclusion.PARTIAL: (
        "3 of the 6 courses",
        "3 courses",
        ": Computer Basics 101, Email Essentials and Password Security",
    ),
    CourseInclusion.FULL: ("All 6 courses", "All 6 courses", ""),
}
HELP = {
    SupportTier.EMAIL: ("By email", "Help by email", ""),
    SupportTier.PRIORITY: ("By email, and sooner", "Help by email", ", and we answer you sooner"),
    SupportTier.PREMIUM: ("By email, and first of all", "Help by email", ", and we answer you first"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One thing of a plan: what matters in bold, then the rest."""

    strong: str
    rest: str = ""
    is_included: bool = True


@dataclass(frozen=True, slots=True)
class PlanWords:
    """A plan as its pocket, the table and the check pages tell it."""

    name: str
    title: str
    description: str
    price: str
    each: str
    sessions: str
    people: str
    help: str
    courses: str
    course_names: str
    """Empty for all or none."""
    points: tuple[Point, ...]


def plan_words(plan: Plan) -> PlanWords:
    """``sessions``, ``people``, ``help`` and ``courses`` fit a cell of a table; ``points`` a list."""
    partial = plan.course_inclusion == CourseInclusion.PARTIAL
    return PlanWords(
        name=plan.name,
        title=plan.display_name,
        description=plan.description or "",
        price=money(plan.price_in_cents),
        each=_each(plan),
        sessions="Unlimited" if plan.is_unlimited else f"{plan.session_limit} each month",
        people=_people(plan.family_size),
        help=HELP[SupportTier(plan.support_tier)][0],
        courses=COURSES[CourseInclusion(plan.course_inclusion)][0],
        course_names=COURSES[CourseInclusion(plan.course_inclusion)][2].removeprefix(": ") if partial else "",
        points=_points(plan),
    )


def sessions_a_month(plan: Plan) -> str:
    """``5 sessions each month``, ``Unlimited sessions``."""
    if plan.is_unlimited:
        return "Unlimited sessions"
    return "1 session each month" if plan.session_limit == 1 else f"{plan.session_limit} sessions each month"


def _each(plan: Plan) -> str:
    """What one session comes to, to the nearest dollar."""
    if plan.is_unlimited:
        return "The same price, however often you call"
    dollars, rest = divmod(plan.price_in_cents + plan.session_limit * 50, plan.session_limit * 100)
    about = "" if rest == plan.session_limit * 50 else "About "
    words = f"{about}{money(dollars * 100)} for each session"
    return words[0].upper() + words[1:]


def _people(size: int) -> str:
    if size == 1:
        return "You"
    return "You and one more person" if size == 2 else f"You and up to {size - 1} more people"


def _points(plan: Plan) -> tuple[Point, ...]:
    sessions = sessions_a_month(plan).partition(" each")
    has_courses = plan.course_inclusion != CourseInclusion.NONE
    people = _people(plan.family_size)
    return (
        Point(sessions[0], "".join(sessions[1:])),
        Point("For you", " alone") if plan.family_size == 1 else Point(f"For {people[0].lower()}{people[1:]}"),
        Point(*HELP[SupportTier(plan.support_tier)][1:]),
        Point(*COURSES[CourseInclusion(plan.course_inclusion)][1:], is_included=has_courses),
    )
