"""The rules of referral: the request and its answers, the directory of agencies. Pure."""
