"""Forms: what people may send from the page."""

from django import forms
from django.conf import settings
from django.utils.translation import gettext

from chat.language import told
from chat.text import clean, say

MAX_KEY = (1 << 63) - 1


class MessageForm(forms.Form):
    """A question. It is kept as it was written; only white space is no question.

    `model_name` is empty where nothing was chosen. `replaces` and
    `regenerates`: as in chat/views/bodies.py.
    """

    message = forms.CharField(strip=False, required=False)

    model_name = forms.CharField(required=False)
    replaces = forms.IntegerField(required=False, min_value=1, max_value=MAX_KEY)
    regenerates = forms.IntegerField(required=False, min_value=1, max_value=MAX_KEY)

    def clean_message(self) -> str:
        text = clean(self.cleaned_data["message"]).replace("\r\n", "\n")
        if not text.strip() and not self.data.get("regenerates"):
            raise forms.ValidationError(gettext("Please write a message first."))
        if len(text) > settings.MAX_MESSAGE_CHARACTERS:
            raise forms.ValidationError(told(too_long(text)))
        return text

    def clean_model_name(self) -> str:
        name: str = self.cleaned_data["model_name"]
        if name and name not in settings.LLM_MODELS:
            raise forms.ValidationError(told(no_such_model()))
        return name


class VersionForm(forms.Form):
    """Which version is to be shown."""

    message_id = forms.IntegerField(min_value=1, max_value=MAX_KEY)
    # The question above it, if it is an answer.
    anchor = forms.IntegerField(required=False, min_value=1, max_value=MAX_KEY)


def no_such_model() -> str:
    """The sentence for a model that is not on offer."""
    names = ", ".join(settings.LLM_MODELS)
    return say("There is no model of that name here. There are: {names}.", names=names)


def too_long(text: str) -> str:
    """The sentence for a message over the limit."""
    return say(
        "The message has {count} characters; {most} are the most that can be sent.",
        count=f"{len(text):,}",
        most=f"{settings.MAX_MESSAGE_CHARACTERS:,}",
    )
