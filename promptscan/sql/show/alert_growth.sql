-- How the campaign of an alarm grew.
SELECT ts, n_accounts, n_prompts, n_families FROM alert_growth WHERE alert_id = $1 ORDER BY ts NULLS LAST, n_prompts
