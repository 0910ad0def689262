-- Prompts and accounts per day of each family in $families.
SELECT family_id, day, n_prompts, n_accounts
FROM family_days
WHERE family_id IN (SELECT unnest($families::VARCHAR[])) AND day IS NOT NULL
ORDER BY family_id, day
