"""What waits for an admin, for pages that Django's own admin puts together."""

from django import template

from chat.admin.health import waiting_tools

register = template.Library()


@register.simple_tag
def waiting_tool_count() -> int:
    return waiting_tools().count()
