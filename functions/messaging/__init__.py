"""Messaging: webhooks in, conversations, messages out."""
