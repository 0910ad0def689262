-- The accounts of a family.
SELECT account_id, n_prompts, share, first_ts, last_ts
FROM family_accounts
WHERE family_id = $1
ORDER BY n_prompts DESC, account_id
LIMIT 15
