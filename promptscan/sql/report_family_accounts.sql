-- The $per_family accounts that sent most of each family in $families, with both shares.
SELECT
    a.family_id, a.account_id, a.n_prompts,
    a.n_prompts / nullif(sum(a.n_prompts) OVER (PARTITION BY a.family_id), 0) AS share_of_family,
    a.n_prompts / nullif(accounts.n_prompts, 0) AS share_of_account,
    a.first_ts, a.last_ts
FROM family_accounts AS a
LEFT JOIN accounts USING (account_id)
WHERE a.family_id IN (SELECT unnest($families::VARCHAR[]))
QUALIFY row_number() OVER (PARTITION BY a.family_id ORDER BY a.n_prompts DESC, a.account_id) <= $per_family
ORDER BY a.family_id, a.n_prompts DESC, a.account_id
