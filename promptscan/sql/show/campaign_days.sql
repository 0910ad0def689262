-- A campaign day by day.
SELECT day, n_prompts, n_accounts FROM campaign_days WHERE campaign_id = $1 ORDER BY day
