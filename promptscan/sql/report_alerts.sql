-- Alarms since $since, or of a log that ends at $newest; newest first, each with its campaign as it is now.
SELECT
    a.alert_id, a.fired_at, a.kind, a.severity, a.campaign_id, a.campaign_now, a.family_id, CASE WHEN isfinite(a.score) THEN a.score END AS score,
    a.message, a.n_accounts, a.n_prompts, c.n_accounts AS n_accounts_now, c.n_prompts AS n_prompts_now,
    c.first_ts, c.label, c.capability, c.evidence::VARCHAR AS evidence, c.counter_evidence::VARCHAR AS counter_evidence
FROM alerts AS a
LEFT JOIN campaigns AS c ON c.campaign_id = a.campaign_now
WHERE ($since::TIMESTAMP IS NULL OR a.fired_at >= $since::TIMESTAMP)
    AND ($newest::TIMESTAMP IS NULL OR a.fired_at >= $newest::TIMESTAMP)
ORDER BY a.fired_at DESC NULLS LAST, a.score DESC NULLS LAST, a.alert_id
LIMIT $top
