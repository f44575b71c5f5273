"""Signing in: what of allauth is ours to say."""
