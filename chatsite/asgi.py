"""The ASGI application: static files, pages and streams, WebSockets; and its begin and end."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django_application = get_asgi_application()

# Models can be imported only once Django is set up.
from chatsite.application import build  # noqa: E402

application = build(django_application)
