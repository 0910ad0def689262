-- Prompts and accounts per day of each campaign in $campaigns.
SELECT campaign_id, day, n_prompts, n_accounts
FROM campaign_days
WHERE campaign_id IN (SELECT unnest($campaigns::VARCHAR[])) AND day IS NOT NULL
ORDER BY campaign_id, day
