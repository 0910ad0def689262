"""promptscan: prompts like this, and who sent them."""

__version__ = "0.1.0"
