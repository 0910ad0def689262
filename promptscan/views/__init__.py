"""What an analyst wants to see about anything in a store: by its id, whole, or as rows of a list, explained."""

from __future__ import annotations

from promptscan.views.clusters import families_outline, outlined
from promptscan.views.finding import LOOKUPS, find
from promptscan.views.listed import explained, with_days
from promptscan.views.section import Section
from promptscan.views.subjects import sections

__all__ = ["LOOKUPS", "Section", "explained", "families_outline", "find", "outlined", "sections", "with_days"]
