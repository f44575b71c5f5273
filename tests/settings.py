"""The product's settings; passwords are hashed a thousand times faster.

Hashing is slow so that nobody can guess: half a minute of processor time in each run of the suite.
What tests start as people do (tests/start) hashes as the product does.
"""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from chatsite.settings import *  # noqa: F403 (all of them)


class QuickHasher(PBKDF2PasswordHasher):
    iterations = 1000


PASSWORD_HASHERS = ["tests.settings.QuickHasher"]
