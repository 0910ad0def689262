-- A family day by day.
SELECT day, n_prompts, n_accounts FROM family_days WHERE family_id = $1 ORDER BY day
