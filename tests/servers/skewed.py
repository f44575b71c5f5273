"""Settings of a process on a machine whose clock is wrong by CLOCK_SKEW_SECONDS."""

import os
from datetime import timedelta

from django.utils import timezone

from tests.settings import *  # noqa: F403 (all of them)

_right = timezone.now
_skew = timedelta(seconds=float(os.environ["CLOCK_SKEW_SECONDS"]))

timezone.now = lambda: _right() + _skew
