-- The campaigns that a family is part of.
SELECT
  f.campaign_id, c.severity, c.score, f.n_accounts, f.n_prompts, f.reason, a.alert_id, a.fired_at, c.label
FROM campaign_families f
LEFT JOIN campaigns c USING (campaign_id)
LEFT JOIN alerts a USING (campaign_id)
WHERE f.family_id = $1
ORDER BY c.score DESC NULLS LAST, f.campaign_id, a.alert_id
