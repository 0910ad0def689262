-- An alarm, and how large its campaign is now.
SELECT
  a.alert_id, a.fired_at, a.campaign_id, a.campaign_now, a.family_id, a.kind, a.severity, a.score, a.n_accounts, a.n_prompts,
  c.n_accounts AS n_accounts_now, c.n_prompts AS n_prompts_now, c.n_families AS n_families_now,
  c.first_ts, c.last_ts, c.label, c.capability, a.message
FROM alerts a LEFT JOIN campaigns c ON c.campaign_id = a.campaign_now
WHERE a.alert_id = $1
