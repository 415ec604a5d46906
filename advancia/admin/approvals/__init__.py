"""What one member of staff asks for and another one decides."""
