-- The campaigns of an account: how sure its membership is, and why.
SELECT
  m.campaign_id, m.score, coalesce(m.reasons, []) AS reasons, m.n_prompts, m.share, m.first_ts, m.last_ts,
  c.severity, c.capability, c.n_accounts, a.alert_id, a.fired_at, c.label
FROM campaign_accounts m
LEFT JOIN campaigns c USING (campaign_id)
LEFT JOIN alerts a USING (campaign_id)
WHERE m.account_id = $1
ORDER BY m.score DESC NULLS LAST, m.campaign_id, a.alert_id
