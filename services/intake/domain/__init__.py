"""The rules of intake: the case, its records, its consents. Pure."""
