"""What a person sees and is asked; used by walks alone."""
