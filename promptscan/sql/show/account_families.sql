-- The families that an account takes part in.
SELECT a.family_id, a.n_prompts, a.share, f.n_accounts, f.label
FROM family_accounts a JOIN families f USING (family_id)
WHERE a.account_id = $1
ORDER BY a.n_prompts DESC, a.family_id
LIMIT 15
