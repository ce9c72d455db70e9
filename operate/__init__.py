"""Everything that runs the services, and nothing that they import."""
