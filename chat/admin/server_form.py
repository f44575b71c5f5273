"""What an admin may enter of an MCP server. Programs are never started from here, only
addresses called; what is sent along is never a secret of ours.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminURLFieldWidget
from django.utils.translation import gettext_lazy as _

from chat.mcp.credentials import NAME, is_set_by_connection, missing_in
from chat.models import MCPServer

MAX_HEADERS = 20
MAX_VALUE_CHARACTERS = 4_000
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class HeadersField(forms.CharField):
    """Lines of "Name: value" as a dict."""

    widget = forms.Textarea(
        attrs={"rows": 3, "cols": 60, "spellcheck": "false", "autocomplete": "off"}
    )

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return "\n".join(f"{name}: {text}" for name, text in value.items())

    # A text's field in the form; what it gives is what the model's field takes.
    def to_python(self, value: Any) -> dict[str, str]:  # type: ignore[override]
        lines = [
            line for line in str(value or "").replace("\r\n", "\n").split("\n") if line.strip()
        ]
        if len(lines) > MAX_HEADERS:
            raise forms.ValidationError(
                _("Enter %(most)s headers at most.") % {"most": MAX_HEADERS}
            )
        headers: dict[str, str] = {}
        for line in lines:
            name, text = header_in(line)
            if name.lower() in {known.lower() for known in headers}:
                raise forms.ValidationError(
                    _("The header %(name)s is there twice.") % {"name": name}
                )
            headers[name] = text
        return headers

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(data) != (initial or {})
        except forms.ValidationError:
            return True


def header_in(line: str) -> tuple[str, str]:
    """A header's name and value. Raises ValidationError, which never repeats a value."""
    name, colon, value = line.partition(":")
    name, value = name.strip(" "), value.strip(" \t")
    if not colon or not HEADER_NAME.fullmatch(name):
        raise forms.ValidationError(
            _("Enter each header on a line of its own, such as Authorization: Bearer ${TOKEN}.")
        )
    if is_set_by_connection(name):
        raise forms.ValidationError(_("%(name)s is set by the connection itself.") % {"name": name})
    if not HEADER_VALUE.fullmatch(value) or len(value) > MAX_VALUE_CHARACTERS:
        raise forms.ValidationError(
            _("The value of %(name)s is empty, too long or not plain ASCII.") % {"name": name}
        )
    check_names(value)
    return name, value


def check_names(value: str) -> None:
    """That each ${NAME} stands for something that may be sent. Raises ValidationError."""
    for name in NAME.findall(value):
        if name in settings.OWN_SECRETS:
            raise forms.ValidationError(
                _("%(name)s is a secret of this site and is never sent to a tool's server.")
                % {"name": name}
            )
    for name in missing_in(value, settings.MCP_SECRETS):
        raise forms.ValidationError(
            _("%(name)s is not set: give this site an environment variable of that name.")
            % {"name": name}
        )
    if "${" in NAME.sub("", value):
        raise forms.ValidationError(
            _("Write ${NAME} with letters, digits and _ only, and with both braces.")
        )


class ConfiguredServerForm(forms.ModelForm):
    """For servers of the deployment: whether they are used, by whom and in whose name."""

    class Meta:
        model = MCPServer
        fields = ("authorisation", "is_enabled", "is_trusted", "groups", "may_repeat")
        widgets = {"groups": forms.CheckboxSelectMultiple}


class MCPServerForm(forms.ModelForm):
    """For servers that are added here."""

    # Names without a dot are usual between containers; the model's own field refuses them.
    address = forms.CharField(
        label=_("Address"),
        max_length=500,
        help_text=_("Its streamable HTTP address, often ending in /mcp."),
        widget=AdminURLFieldWidget,
    )
    header_lines = HeadersField(
        label=_("Headers"),
        required=False,
        help_text=_(
            "Sent with each request, one on a line: Name: value. In a value, ${NAME} stands "
            "for the environment variable NAME of this site, so that no secret is stored here."
        ),
    )

    class Meta:
        model = MCPServer
        fields = (
            *("name", "slug", "authorisation", "timeout_seconds"),
            *("is_enabled", "is_trusted", "groups", "may_repeat"),
        )
        widgets = {"groups": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"].initial = self.instance.url
        self.fields["header_lines"].initial = self.instance.headers

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"])
        if not is_web_address(address):
            raise forms.ValidationError(
                _(
                    "Enter the whole address with http:// or https://, "
                    "such as https://tools.example.org/mcp."
                )
            )
        if "@" in urlsplit(address).netloc:
            raise forms.ValidationError(_("Enter a name and password as a header, not here."))
        self.instance.url = address
        return address

    def clean_header_lines(self) -> dict[str, str]:
        self.instance.headers = self.cleaned_data["header_lines"]
        return self.instance.headers

    def clean_timeout_seconds(self) -> int | None:
        seconds: int | None = self.cleaned_data["timeout_seconds"]
        if seconds is not None and not 1 <= seconds <= settings.TOOL_TOTAL_TIMEOUT_SECONDS:
            raise forms.ValidationError(
                _("Enter 1 to %(most)s seconds, or nothing.")
                % {"most": f"{settings.TOOL_TOTAL_TIMEOUT_SECONDS:g}"}
            )
        return seconds


def is_web_address(text: str) -> bool:
    """Whether it is http or https and names a host; a port, if any, must be one."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port != 0
        and not any(character.isspace() for character in text)
    )


class EnabledForm(forms.ModelForm):
    """A row of the list: one box, named after its server for those who do not see the row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        box = self.fields["is_enabled"]
        box.widget.attrs["aria-label"] = f"{self.instance}: {box.label}"
