"""langsmith-audit: turn on, and keep checking, audit logs in a self-hosted LangSmith."""

__version__ = "0.1.0"
