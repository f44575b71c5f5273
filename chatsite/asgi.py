"""The ASGI application: static files, pages and streams, WebSockets; and its begin and end."""

import os

from django.core.exceptions import ImproperlyConfigured

from chatsite.handler import get_handler
from chatsite.refusals import refuse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
try:
    django_application = get_handler()

    # Models can be imported only once Django is set up.
    from chatsite.application import build

    application = build(django_application)
except ImproperlyConfigured as error:
    refuse(error)
