"""The page kit: rendering for browsers and htmx alike, access, forms, errors and the outer shell."""
