"""The heart: facts, what each agency may hold of them, and the record of what was disclosed. Pure."""
