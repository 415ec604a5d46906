"""A storm of signed webhooks against the whole product, in processes of its own."""
