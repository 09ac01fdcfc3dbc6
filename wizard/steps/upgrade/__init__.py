"""Step 3 in full: what is looked at before helm runs, the run itself, and the way back."""
