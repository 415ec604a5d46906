"""Sessions: the browsers that somebody is signed in with."""
