"""The rules of metrics: its two small inputs, and what the indicators are. Pure."""
