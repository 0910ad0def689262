-- The alarm about a campaign: when it fired, with how much, and how much it is now.
SELECT
  a.alert_id, a.fired_at, a.kind, a.severity, a.family_id, a.score, a.n_accounts, a.n_prompts, a.message
FROM alerts a
WHERE a.campaign_id = $1
ORDER BY a.fired_at NULLS LAST, a.alert_id
