"""A person's e-mail address: asked for with the password, changed by the link of a mail."""

from typing import Any

from allauth.core import ratelimit
from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext

from chat.accounts.addresses import (
    AddressForm,
    address_of,
    is_taken,
    move,
    send_link,
    tell_old,
    text_for,
)
from chat.accounts.mail import can_send
from chat.runs.pool import in_pool, in_writer
from chat.views.account import done, own_page, password_limit, show
from chat.views.errors import too_many_requests
from chat.views.pages import render_page, see_other
from chat.views.sidebar import sidebar_for


@own_page("POST")
async def ask_for_address(request: HttpRequest) -> HttpResponse:
    """Nothing changes yet, and neither the page nor its time tells whether another has it."""
    if not can_send():
        raise Http404
    if limited := await password_limit(request):
        return limited
    form = AddressForm(request.user, request.POST)
    # Not in the pool: hashing takes long, by design.
    if not await sync_to_async(form.is_valid)():
        return await show(request, status=400, address_form=form)
    address = form.cleaned_data["email"]
    # One mail in three minutes for an address, whoever asks.
    may_send = sync_to_async(ratelimit.consume)
    if not await may_send(request, action="confirm_email", key=address):
        return await sync_to_async(too_many_requests)(request)
    await in_pool(_send_unless_taken, request, address)
    return done(
        request,
        gettext(
            "A link is on its way to {address}, unless another account has that address. "
            "It is for an hour; until you follow it nothing changes."
        ).format(address=address),
    )


def _send_unless_taken(request: HttpRequest, address: str) -> None:
    person: Any = request.user
    if not is_taken(person, address):
        path = reverse("new_address", kwargs={"text": text_for(person, address)})
        send_link(address, request.build_absolute_uri(path), person.get_username())


@own_page("GET")
async def new_address(request: HttpRequest, text: str) -> HttpResponse:
    """Asks once more: programs that look at mails follow links."""
    address = await in_pool(address_of, request.user, text)
    context = {
        "heading": gettext("Account"),
        "sidebar": await in_pool(sidebar_for, request),
        "address": address,
        "text": text,
    }
    return await render_page(request, "chat/address.html", context, status=200 if address else 404)


@own_page("POST")
async def confirm_address(request: HttpRequest, text: str) -> HttpResponse:
    person: Any = request.user
    before = person.email
    address = await in_writer(move, person, text)
    if not address:
        # It was used meanwhile, or its hour is over; the page says so.
        return see_other(reverse("new_address", kwargs={"text": text}))
    if before and can_send():
        await sync_to_async(tell_old)(before, address, person.get_username())
    return done(request, gettext("Your e-mail address is changed."))
