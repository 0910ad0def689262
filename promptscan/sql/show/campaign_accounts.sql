-- The accounts of a campaign, surest first.
SELECT account_id, score, n_prompts, share, first_ts, last_ts, coalesce(reasons, []) AS reasons
FROM campaign_accounts
WHERE campaign_id = $1
ORDER BY score DESC NULLS LAST, n_prompts DESC NULLS LAST, account_id
LIMIT 15
