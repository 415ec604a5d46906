"""Ways back in, and changes of what one signs in with."""
