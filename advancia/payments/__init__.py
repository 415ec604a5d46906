"""Money in: deposits from a provider's checkout to the customer's balance."""
