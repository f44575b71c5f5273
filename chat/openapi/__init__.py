"""The wire as an OpenAPI document: what `/api/openapi.json` publishes and `/api/docs` shows.

Declarations only. Nothing here is about one installation but its longest message.
"""
