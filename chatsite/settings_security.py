"""Settings of what browsers are told to refuse, and of cookies."""

from csp.constants import NONE, SELF

from chatsite.settings_site import HTTPS

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
# What pages of ours never ask a browser for, nobody else's script gets either.
UNUSED_IN_BROWSERS = (
    *("accelerometer", "browsing-topics", "camera", "display-capture", "geolocation"),
    *("gyroscope", "magnetometer", "microphone", "midi", "payment", "serial", "usb"),
)
SECURE_REFERRER_POLICY = "same-origin"
SESSION_ENGINE = "chat.models.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_SSL_REDIRECT = True
    # Those who look after a process ask it itself, not the proxy.
    SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
PERMISSIONS_POLICY = ", ".join(f"{name}=()" for name in UNUSED_IN_BROWSERS)
