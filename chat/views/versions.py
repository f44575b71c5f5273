"""Choosing among versions on the page."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from chat.errors import RunActive
from chat.forms import VersionForm
from chat.language import told
from chat.models import Message
from chat.runs import changes
from chat.views.pages import find_theirs, page, see_other, show_page


@page("POST")
async def choose_version(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the branch of a message. The address leads to its turn, so that one stays there."""
    found = await find_theirs(request, pk)
    form = VersionForm(request.POST)
    if not form.is_valid():
        raise Http404
    key, anchor = form.cleaned_data["message_id"], form.cleaned_data["anchor"]
    try:
        await changes.change(found, {"current_message_id": key})
    except Message.DoesNotExist as error:
        raise Http404 from error
    except RunActive as error:
        return await show_page(request, found, status=409, problem=told(error))
    return see_other(f"{found.get_absolute_url()}#m{anchor or key}")
