"""Campaigns: on which day they would have been known, whose accounts, with how many false alerts, beside simpler means."""
