"""The ways by which documents reach an agency beside its topic: feed, webhook, file, cover sheet."""
