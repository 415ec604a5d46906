"""The health of the product, for staff: every part, and behind it the processes and what waits for them."""
