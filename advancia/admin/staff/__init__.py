"""Staff among themselves: who there is, and what each may do."""
