"""`python -m promptscan`."""

from promptscan.cli import main

main()
