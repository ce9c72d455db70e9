"""HTTP of meetings, one noun a file: parse, decide, answer. Rules are in `domain`."""

from shared.route import together

from . import agenda, bodies, materials, matters, meetings, tasks

PARTS = (bodies, matters, materials, meetings, agenda, tasks)
router = together("meetings", *[part.router for part in PARTS])
