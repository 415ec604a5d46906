"""The launch check for owners: what keeps the product from going live, and a new look."""
