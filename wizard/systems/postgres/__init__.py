"""LangSmith's PostgreSQL: its organizations and its audit_logs table."""
