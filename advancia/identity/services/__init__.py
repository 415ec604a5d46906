"""What identity does: sign people up, in and out."""
