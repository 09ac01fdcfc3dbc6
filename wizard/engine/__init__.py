"""What the commands that walk over the steps share."""
