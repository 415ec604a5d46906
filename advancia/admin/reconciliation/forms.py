"""Forms about reconciliations."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import SelectField, StringField, TextAreaField, ValidationError
from wtforms.validators import Length

from advancia.admin.forms import LONGEST_REASON, ReasonForm, StaffForm, on_one_line
from advancia.admin.lists import PROVIDERS, Filters
from advancia.admin.parties import house_words
from advancia.core.errors import DomainError
from advancia.reconciliation import found, inside
from advancia.reconciliation.shown import KIND_WORDS, Colleague
from advancia.web.forms import cleaned, options

NOBODY = ""
LONGEST_NAME = 254
# Some checks of both sides have one name; what differs is told apart by the side.
CHECKS = {
    name: name.replace("_", " ").capitalize()
    for name in sorted({*inside.WORDS, *found.CHECKS.values(), found.BALANCE})
}


class RunFilters(Filters):
    state = SelectField(
        "Verdict",
        default="",
        choices=options(
            ("", "All"),
            ("matched", "Matched"),
            ("differs", "Differs"),
            ("alarm", "Alarm"),
            ("failed", "Failed"),
            ("running", "Running"),
        ),
    )


class DifferenceFilters(Filters):
    state = SelectField(
        "State",
        default="",
        choices=options(
            ("", "All"),
            ("unresolved", "Not resolved"),
            ("open", "Nobody's yet"),
            ("assigned", "Assigned"),
            ("resolved", "Resolved"),
            ("passed", "Passed by itself"),
        ),
    )
    side = SelectField(
        "Against",
        default="",
        choices=options(("", "All"), ("outside", "A provider"), ("inside", "Our own books")),
    )
    kind = SelectField("What", default="", choices=options(("", "All"), *KIND_WORDS.items()))
    provider = SelectField("Provider", default="", choices=PROVIDERS)
    check = SelectField("Check", default="", choices=options(("", "All"), *CHECKS.items()))


class AssignmentForm(StaffForm):
    """Who looks after a difference."""

    user_id = SelectField("Looked after by", default=NOBODY)

    def __init__(self, colleagues: Sequence[Colleague], *, user_id: int | None = None) -> None:
        super().__init__(data={"user_id": NOBODY if user_id is None else str(user_id)})
        people = ((str(each.id), f"{each.name}, {each.role}") for each in colleagues)
        self.user_id.choices = options((NOBODY, "Nobody yet"), *people)

    @property
    def chosen(self) -> int | None:
        return int(self.user_id.data) if self.user_id.data else None

    def tell(self, refusal: DomainError) -> None:
        self.refuse(self.user_id, str(refusal))


class AccountsForm(Filters):
    """Between which accounts a correction moves; chosen by GET, so that the preview has an address."""

    source = SelectField("From")
    destination = SelectField("To")

    def __init__(self, purposes: Sequence[str], *args: object, **more: object) -> None:
        super().__init__(*args, **more)
        accounts = options(*((each, house_words(each)) for each in purposes))
        self.source.choices = self.destination.choices = accounts


class CorrectionForm(ReasonForm):
    """The posting that was previewed, and why."""

    source = SelectField("From")
    destination = SelectField("To")

    def __init__(self, purposes: Sequence[str], **chosen: str) -> None:
        super().__init__(data=chosen)
        accounts = options(*((each, house_words(each)) for each in purposes))
        self.source.choices = self.destination.choices = accounts


class OnwardForm(ReasonForm):
    """To whom money goes that a correction has put into suspense."""

    to = SelectField(
        "Whose it is",
        default="customer",
        choices=options(("customer", "A customer's"), ("house", "The house's: nobody can be found for it")),
    )
    who = StringField(
        "Customer",
        filters=[cleaned],
        description="Email, @handle or id. Leave it empty where the house keeps it.",
        validators=[Length(max=LONGEST_NAME)],
    )

    @property
    def is_for_customer(self) -> bool:
        return bool(self.to.data == "customer")

    def validate_who(self, field: StringField) -> None:
        if self.is_for_customer and not field.data:
            raise ValidationError("Say whose it is")
        if not self.is_for_customer and field.data:
            raise ValidationError("The house keeps it, so name no customer")

    def tell(self, refusal: DomainError) -> None:
        self.refuse(self.who, str(refusal))


class SignOffForm(StaffForm):
    note = TextAreaField(
        "Note",
        filters=[on_one_line],
        description="Needed when something is still open: why the run can be signed off all the same.",
        validators=[Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters")],
    )

    def tell(self, refusal: DomainError) -> None:
        self.refuse(self.note, str(refusal))
