"""Another e-mail address for an account: it is theirs once they have followed the link of a mail.

What a person writes stays a claim for single sign-on, also when they read that mail: see sso.py.
"""

from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.accounts.mail import send_beside

LIFETIME_SECONDS = 3600
SALT = "chat.accounts.addresses"


class AddressForm(forms.Form):
    """With the password: whoever has the address can have a new one made up."""

    prefix = "address"
    email = forms.EmailField(
        label=_("New e-mail address"), widget=forms.EmailInput({"autocomplete": "email"})
    )
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )

    def __init__(self, person: Any, *args: Any) -> None:
        super().__init__(*args)
        self.person = person

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        if not self.person.check_password(password):
            raise forms.ValidationError(_("That is not your password."))
        return password


def is_taken(person: Any, address: str) -> bool:
    others = get_user_model().objects.exclude(pk=person.pk)
    return others.filter(email__iexact=address).exists()


def text_for(person: Any, address: str) -> str:
    """What stands for the change in a link; once it is made, or another, none holds any more."""
    return signing.dumps([person.pk, person.email, address], salt=SALT)


def address_of(person: Any, text: str) -> str | None:
    """What a link is about, if it still holds, and for this person."""
    try:
        key, before, address = signing.loads(text, salt=SALT, max_age=LIFETIME_SECONDS)
    except signing.BadSignature:
        return None
    holds = (key, before) == (person.pk, person.email) and not is_taken(person, address)
    return str(address) if holds else None


def move(person: Any, text: str) -> str | None:
    """Change it; None if the link does not hold."""
    with transaction.atomic():
        address = address_of(person, text)
        mine = get_user_model().objects.filter(pk=person.pk, email=person.email)
        if address is None or not mine.update(email=address):
            return None
        EmailAddress.objects.filter(user=person).delete()
        EmailAddress.objects.create(user=person, email=address, primary=True, verified=False)
    return address


def send_link(address: str, link: str, username: str) -> None:
    values = {"site": settings.SITE_NAME, "username": username}
    send_beside(
        address,
        gettext("Your new e-mail address at {site}").format(**values),
        gettext(
            "Somebody, probably you, wants {username} at {site} to have this address. "
            "This link is for an hour, in a browser that is signed in:"
        ).format(**values),
        link,
        gettext("If it was not you, there is nothing to do."),
    )


def tell_old(before: str, address: str, username: str) -> None:
    """So that nobody loses an account unawares."""
    values = {"site": settings.SITE_NAME, "username": username, "address": address}
    send_beside(
        before,
        gettext("Another e-mail address at {site}").format(**values),
        gettext("From now on mail for {username} at {site} goes to {address}.").format(**values),
        gettext("If it was not you, please ask an admin."),
    )
