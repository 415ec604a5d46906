"""The launch check: the list of what has to be so before customers come, looked at and not believed.

A check is a function in a module of `checks/`, declared by `@check`. It looks at one thing and gives a `Finding` with
what it has seen and, unless that is fine, what to do. `conduct` runs them all and keeps the result.
"""
