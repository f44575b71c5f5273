"""An address of the admin that asks for what cannot be leads to its page, and says so."""

import pytest
from django.contrib import admin

from tests.people import Person

TOO_LARGE = "9" * 23


def test_no_number_in_an_address_is_an_error(carol: Person) -> None:
    addresses = [
        f"/admin/{meta.app_label}/{meta.model_name}/?{field.name}={TOO_LARGE}"
        for meta in (model._meta for model in admin.site._registry)
        for field in meta.get_fields()
        if field.is_relation
    ]
    assert len(addresses) > 50

    addresses.append(f"/admin/chat/quota/add/?person={TOO_LARGE}")
    assert [it for it in addresses if carol.http.get(it).status_code >= 500] == []


@pytest.mark.parametrize("asked", ["person=abc", "group=%00"])
def test_what_cannot_be_leads_to_the_page_and_is_said(carol: Person, asked: str) -> None:
    led = carol.http.get(f"/admin/chat/quota/add/?{asked}")

    assert (led.status_code, led.headers["location"]) == (302, "/admin/chat/quota/add/")
    assert "asked for something that cannot be" in carol.http.get(led.headers["location"]).text
