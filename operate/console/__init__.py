"""The console: one page that shows the indicators, every agency's sync and the streams, live.

It holds no data of its own and opens no case: it asks the services over HTTP, as an operator and planner.
"""
