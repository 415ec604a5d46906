"""The checks, a module for each thing that they look at."""
