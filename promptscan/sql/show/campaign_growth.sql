-- How a campaign grew after its alarm.
SELECT g.alert_id, g.ts, g.n_accounts, g.n_prompts, g.n_families
FROM alert_growth g SEMI JOIN (FROM alerts WHERE campaign_id = $1) a USING (alert_id)
ORDER BY g.ts NULLS LAST, g.n_prompts, g.alert_id
