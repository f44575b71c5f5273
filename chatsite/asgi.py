"""The ASGI application: static files, pages and streams, WebSockets; and its begin and end."""

import os

from chatsite.handler import get_handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django_application = get_handler()

# Models can be imported only once Django is set up.
from chatsite.application import build  # noqa: E402

application = build(django_application)
