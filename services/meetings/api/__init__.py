"""HTTP of meetings, one noun a file: parse, decide, answer. Rules are in `domain`."""

from shared.route import together

from . import bodies, matters, meetings

PARTS = (bodies, matters, meetings)
router = together("meetings", *[part.router for part in PARTS])
