"""The conversation: what a person sees and is asked."""
