-- What several accounts of a family have in common.
SELECT e.kind, e.value, count(DISTINCT e.account_id) AS n_accounts
FROM entities e SEMI JOIN (FROM family_accounts WHERE family_id = $1) a USING (account_id)
GROUP BY ALL
HAVING n_accounts > 1
ORDER BY n_accounts DESC, e.kind, e.value
LIMIT 15
