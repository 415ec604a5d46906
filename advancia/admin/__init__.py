"""The pages of staff, over the features."""
