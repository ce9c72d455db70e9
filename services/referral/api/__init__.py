"""HTTP of referral, one noun a file: parse, decide, answer. Rules are in `domain`."""

from shared.route import together

from . import agencies, desks, programmes, referrals

PARTS = (agencies, programmes, desks, referrals)
router = together("referral", *[part.router for part in PARTS])
