"""A new password, and nothing else of its account."""

from typing import Any

from django.contrib.auth import get_user_model


def store_password(user: Any) -> bool:
    """Store the password that was set on `user`; False where they may not sign in any more.

    Saving the whole of it would write back what an admin has changed while it was hashed, or bring
    back an account that was erased.
    """
    people = get_user_model().objects.filter(pk=user.pk, is_active=True)
    return bool(people.update(password=user.password))
