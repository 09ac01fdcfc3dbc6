"""The plan as a contract: made, compared, approved."""
