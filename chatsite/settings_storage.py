"""Settings of what is kept, and where: the database, files, Redis."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from chatsite.env import BASE_DIR, address, env

SQLITE_SYNCHRONOUS = (env.str("SQLITE_SYNCHRONOUS", default="") or "NORMAL").upper()
if SQLITE_SYNCHRONOUS not in {"NORMAL", "FULL"}:
    raise ImproperlyConfigured(
        "SQLITE_SYNCHRONOUS must be NORMAL (an answer survives kill -9) or FULL (and a power loss)."
    )
database = address("DATABASE_URL") or f"sqlite:///{BASE_DIR / 'db.sqlite3'}"
if not database.startswith(("sqlite:", "postgres:", "postgresql:", "psql:", "pgsql:")):
    raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:/// or postgres://.")
DATABASES = {"default": env.db_url_config(database)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        # Take the write lock at BEGIN: a read that turns into a write would fail at once.
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous={SQLITE_SYNCHRONOUS}; "
            "PRAGMA journal_size_limit=67108864; "
            # A task of its own does it, so that no answer waits: runs/upkeep/checkpoints.py.
            "PRAGMA wal_autocheckpoint=10000"
        ),
    }
else:
    DATABASES["default"]["OPTIONS"] = {
        # Who waits asks again (chat/runs/pool.py): the pool's own pauses would grow to minutes.
        "pool": {"min_size": 2, "max_size": 12, "timeout": 2, "reconnect_timeout": 1},
        # A PostgreSQL whose machine is gone is noticed within seconds, not hours.
        **{"connect_timeout": 5, "tcp_user_timeout": 10_000},
        **{"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3},
        # What the address asks for, such as sslmode.
        **DATABASES["default"].get("OPTIONS", {}),
    }
    # A connection of the pool that has died is replaced before somebody gets it.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# What tools give back as files. Served by chat/views/attachments.py alone; nobody else reads it.
MEDIA_ROOT = Path(env.str("MEDIA_DIR", default="") or BASE_DIR / "media")
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

REDIS_URL = address("REDIS_URL")
if REDIS_URL and not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ImproperlyConfigured("REDIS_URL must begin with redis://, rediss:// or unix://.")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # The layer lets Redis wait 5 s for news, as long as its client by itself waits for
            # an answer: one that waits no longer would close a quiet page's socket.
            "hosts": [{"address": REDIS_URL, "socket_timeout": 15, "socket_connect_timeout": 5}],
            # A page that stays open hears of what moves for a month, not for a day.
            "group_expiry": 30 * 24 * 3600,
        },
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"},
}
if REDIS_URL:
    patience = {"socket_timeout": 2, "socket_connect_timeout": 2}
    CACHES = {
        "default": {
            "BACKEND": "chatsite.cache.SharedCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "ferryline",
            "OPTIONS": patience,
        }
    }
