"""The two environment variables of the article."""

WANTED = ("AUDIT_LOGS_ENABLED", "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS")
"""Names; the value of each is the string "true"."""
