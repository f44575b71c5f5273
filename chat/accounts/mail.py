"""Mail to one person, in the language of whoever caused it."""

import logging
from smtplib import SMTPException
from threading import BoundedSemaphore, Thread

from django.conf import settings
from django.core.mail import EmailMessage

logger = logging.getLogger(__name__)
# At a time, each for as long as a mail server that is away is waited for.
MAX_ON_THEIR_WAY = 10
_room = BoundedSemaphore(MAX_ON_THEIR_WAY)


def can_send() -> bool:
    return bool(settings.EMAIL_URL)


def send(address: str, subject: str, *paragraphs: str) -> bool:
    """Whether the mail server took it. If not, that is in the log, and not on anybody's page:
    it would tell which addresses have an account."""
    try:
        EmailMessage(subject, "\n\n".join(paragraphs), to=[address]).send()
    # ValueError: of an address that no mail can be sent to.
    except (OSError, SMTPException, ValueError) as error:
        logger.error("The mail server did not take a mail: %s", error)
        return False
    return True


def send_beside(address: str, subject: str, *paragraphs: str) -> None:
    """The same, while the request goes on: how long it takes tells nobody whether there is mail.

    What is on its way when the process ends is lost, and what is too much is not sent.
    """
    if not _room.acquire(blocking=False):
        logger.error("A mail was not sent: %s are on their way.", MAX_ON_THEIR_WAY)
        return
    Thread(target=_send_and_leave, args=(address, subject, *paragraphs), daemon=True).start()


def _send_and_leave(*mail: str) -> None:
    try:
        send(*mail)
    finally:
        _room.release()
