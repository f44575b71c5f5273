"""What people name where they sign in, and whom they invite: all of it hostile."""

from datetime import timedelta

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.utils import timezone

from chat.models import Invitation, Session
from tests.people import PASSWORD, Person
from tests.security.vectors import ALL, short


def ways_in(alice: Person) -> list[str]:
    """Passkeys, accounts elsewhere, addresses and browsers: called what their owner likes."""
    names = short(40, 100)
    keys = Authenticator.objects.bulk_create(
        Authenticator(user=alice.user, type=Authenticator.Type.WEBAUTHN, data={"name": name})
        for name in names
    )
    SocialAccount.objects.bulk_create(
        SocialAccount(user=alice.user, provider="oidc", uid=name, extra_data={name: ALL})
        for name in names
    )
    EmailAddress.objects.create(user=alice.user, email=names[0], primary=True)
    Session.objects.filter(person=alice.user).update(user_agent=names[0])
    soon = timezone.now() + timedelta(days=1)
    Session.objects.bulk_create(
        Session(
            **{
                "session_key": f"{alice.username[-8:]}-{place}",
                "person": alice.user,
                "user_agent": name,
                "expire_date": soon,
            }
        )
        for place, name in enumerate(names)
    )
    type(alice.user).objects.filter(pk=alice.user.pk).update(
        first_name=names[0], last_name=names[1], email=names[2]
    )
    # A passkey is renamed by who has just shown that it is them.
    confirm = "/accounts/reauthenticate/"
    alice.http.get(confirm)
    token = alice.http.cookies["csrftoken"]
    form = {"csrfmiddlewaretoken": token, "password": PASSWORD, "next": "/account/"}
    assert alice.http.post(confirm, data=form).headers["location"] == "/account/"
    return ["/accounts/2fa/webauthn/", f"/accounts/2fa/webauthn/keys/{keys[0].pk}/edit/"]


def invitations(carol: Person) -> list[Invitation]:
    """Older than the form: it takes no such addresses."""
    return Invitation.objects.bulk_create(
        Invitation(email=name, invited_by=carol.user) for name in short(40, 100)
    )
