"""LangSmith's own API."""
