-- An account, with how old it was when it sent its first prompt.
SELECT a.*, h.n_families, epoch(a.first_ts - a.created_at) / 86400 AS age_days
FROM accounts a, (SELECT count(*) AS n_families FROM family_accounts WHERE account_id = $1) h
WHERE a.account_id = $1
