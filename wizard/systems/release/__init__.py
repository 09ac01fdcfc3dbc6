"""The LangSmith release: where it is, what its chart renders, and who owns its objects."""
