"""Addresses are nouns; every state change is a POST to one."""

from django.urls import path

from chat.views import (
    attachments,
    conversations,
    exchange,
    health,
    inputs,
    oauth,
    options,
    pages,
    runs,
    search,
    stream,
)

urlpatterns = [
    # Pages
    path("", pages.new_chat, name="new_chat"),
    path("c/", pages.create_conversation, name="create_conversation"),
    path("c/<uuid:pk>/", pages.conversation, name="conversation"),
    path("c/<uuid:pk>/messages/", pages.create_message, name="create_message"),
    path("c/<uuid:pk>/options/", options.options, name="options"),
    path("c/<uuid:pk>/changes/", options.change, name="change"),
    path("c/<uuid:pk>/deletions/", options.delete, name="delete"),
    path("c/<uuid:pk>/restorations/", options.restore, name="restore"),
    path("archive/", options.archive, name="archive"),
    path("archive/imports/", exchange.import_file, name="import_file"),
    path("search/", search.found, name="search"),
    path("search/hits/", search.fragment, name="search_hits"),
    path("sidebar/", pages.sidebar, name="sidebar"),
    path("runs/<uuid:pk>/", pages.run, name="run"),
    path("runs/<uuid:pk>/cancellations/", pages.cancel_run, name="cancel_run"),
    path("inputs/<uuid:pk>/", inputs.question, name="input"),
    path("inputs/<uuid:pk>/answers/", inputs.answer, name="answer_input"),
    path("tools/<slug:slug>/authorisation/", oauth.authorisation, name="authorisation"),
    path(
        "tools/<slug:slug>/authorisation/requests/",
        oauth.request_authorisation,
        name="request_authorisation",
    ),
    path(
        "tools/<slug:slug>/authorisation/revocations/",
        oauth.revoke_authorisation,
        name="revoke_authorisation",
    ),
    path("oauth/mcp/callback", oauth.callback, name="oauth_callback"),
    path("theme/", pages.theme, name="theme"),
    path("attachments/<uuid:pk>/", attachments.item, name="attachment"),
    # The wire
    path("chat", stream.chat, name="chat"),
    path("chat/stream", stream.chat_stream, name="chat_stream"),
    path("api/conversations/", conversations.collection, name="api_conversations"),
    path("api/conversations/imports/", exchange.imports, name="api_imports"),
    path("api/conversations/<uuid:pk>/", conversations.item, name="api_conversation"),
    path("api/conversations/<uuid:pk>/messages/", conversations.messages, name="api_messages"),
    path("api/conversations/<uuid:pk>/export/", exchange.export, name="api_export"),
    path(
        "api/conversations/<uuid:pk>/restorations/",
        conversations.restorations,
        name="api_restorations",
    ),
    path("api/search/", search.hits, name="api_search"),
    path("api/runs/<uuid:pk>/", runs.item, name="api_run"),
    path("api/runs/<uuid:pk>/events/", stream.run_events, name="api_run_events"),
    path("api/runs/<uuid:pk>/cancellations/", runs.cancellations, name="api_cancellations"),
    path("api/inputs/<uuid:pk>/answers/", inputs.answers, name="api_answers"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
