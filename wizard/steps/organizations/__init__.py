"""Step 4 in full: rows as they are told, SQL for a DBA, and the way back."""
