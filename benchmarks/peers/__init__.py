"""promptscan's duplicates and templates beside those of its peers, on the same texts, on the same machine, in one run."""
