"""signals: numbers that say whether the accounts of a family act as one, each beside what chance alone would give.

Arrays in, arrays out. A signal is a statistic per family with its mean and variance under a null hypothesis in which the
family's accounts are drawn from the store's own accounts (or their times from the store's own traffic); `tails` turns it into a
probability and then into an e-value. What the store's own families show on average widens the nulls again (`tails.deflated`).
"""
