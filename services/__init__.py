"""The services. They know one another only by the contracts in `shared.contracts`."""
