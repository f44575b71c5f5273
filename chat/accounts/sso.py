"""Single sign-on: an OpenID Connect provider says who somebody is.

https://openid.net/specs/openid-connect-core-1_0.html
"""

import hashlib
import logging
from threading import BoundedSemaphore
from typing import Any

from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from requests import RequestException

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 6
_room = BoundedSemaphore(MAX_AT_ONCE)


class OIDCAdapter(OpenIDConnectOAuth2Adapter):
    """Believes the signed ID token; the provider's other answers must be about the same person."""

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **more: Any) -> Any:
        claims = self._claims(app, more["response"].get("id_token") or "")
        told = self._fetch_user_info(token.token)
        if told.get("sub") != claims["sub"]:
            raise OAuth2Error("The provider speaks of two different people.")
        known = {**claims, **told}
        # Some say it in words.
        known["email_verified"] = known.get("email_verified") in (True, "true")
        login = self.get_provider().sociallogin_from_response(request, {"userinfo": known})
        # Another provider's people are others, whatever it calls them.
        who = f"{claims['iss']}\n{claims['sub']}"
        login.account.uid = hashlib.sha256(who.encode()).hexdigest()
        login.account.extra_data = {"issuer": claims["iss"], "subject": claims["sub"]}
        return login

    def _claims(self, app: Any, id_token: str) -> dict[str, Any]:
        config = self.openid_config
        try:
            claims: dict[str, Any] = jwtkit.verify_and_decode(
                credential=id_token,
                keys_url=config["jwks_uri"],
                issuer=config["issuer"],
                audience=app.client_id,
                lookup_kid=jwtkit.lookup_kid_jwk,
            )
            return {"iss": claims["iss"], "sub": str(claims["sub"]), **claims}
        except (KeyError, TypeError, ValueError) as error:
            raise OAuth2Error("The ID token cannot be read.") from error


class SingleSignOn(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(settings.OIDC_ALLOW_SIGNUP)

    def authenticate_by_email(self, sociallogin: Any) -> Any:
        """The one account with this address, if both sides vouch for it.

        The provider must have verified it, and an admin must have given it to the account: what
        people write when they sign up is a claim, by which one could lie in wait for others.
        """
        for address in sociallogin.email_addresses:
            people, email = _with_address(address.email), address.email.lower()
            if not address.verified or len(people) != 1 or not people[0].is_active:
                continue
            rows = EmailAddress.objects.filter(email=email)
            if rows.filter(user=people[0], verified=False).exists():
                continue
            # What was another's before an admin gave it to this one.
            rows.exclude(user=people[0]).delete()
            EmailAddress.objects.get_or_create(
                user=people[0], email=email, defaults={"verified": True}
            )
            return people[0], email
        return None

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Nobody gets a second account beside the one that has their address."""
        is_taken = any(_with_address(address.email) for address in sociallogin.email_addresses)
        if not sociallogin.is_existing and is_taken:
            raise ImmediateHttpResponse(refusal(request, "taken"))

    def on_authentication_error(self, request: HttpRequest, provider: Any, **more: Any) -> None:
        logger.warning("OpenID Connect signed nobody in: %s", more.get("exception"))
        raise ImmediateHttpResponse(refusal(request, "failed"))


def _with_address(email: str) -> list[Any]:
    return list(get_user_model().objects.filter(email__iexact=email)[:2]) if email else []


def refusal(request: HttpRequest, why: str) -> HttpResponse:
    context = {"is_taken": why == "taken", "provider": settings.OIDC_NAME}
    return render(request, "socialaccount/refused.html", context, status=403)


def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Off to the provider. Signing in only: nobody is led to tie another account to theirs."""
    if request.GET.get("process", "login") != "login":
        raise Http404
    return _go(OAuth2LoginView, request, provider_id)


def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _go(OAuth2CallbackView, request, provider_id)


def _go(step: Any, request: HttpRequest, provider_id: str) -> HttpResponse:
    if not settings.OIDC_SERVER_URL:
        raise Http404
    # One that is silent holds a thread of all requests for some seconds.
    if not _room.acquire(blocking=False):
        logger.error("The provider of OpenID Connect is slow: %s wait for it.", MAX_AT_ONCE)
        return refusal(request, "failed")
    try:
        response: HttpResponse = step.adapter_view(OIDCAdapter(request, provider_id))(request)
    # It is away, or says something else than the specification wants.
    except (RequestException, LookupError, TypeError, AttributeError, ValueError, DataError):
        logger.exception("The provider of OpenID Connect cannot be understood")
        return refusal(request, "failed")
    finally:
        _room.release()
    return response
