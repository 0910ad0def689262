-- The $top campaigns by score, each with its alarm.
WITH fired AS (
    SELECT campaign_id, alert_id, fired_at
    FROM alerts
    QUALIFY row_number() OVER (PARTITION BY campaign_id ORDER BY fired_at NULLS LAST, alert_id) = 1
)
SELECT
    c.campaign_id, CASE WHEN isfinite(c.score) THEN c.score END AS score, c.severity, c.label, c.capability,
    c.n_accounts, c.n_families, c.n_prompts, c.first_ts, c.last_ts, fired.alert_id, fired.fired_at,
    c.evidence::VARCHAR AS evidence, c.counter_evidence::VARCHAR AS counter_evidence
FROM campaigns AS c
LEFT JOIN fired USING (campaign_id)
ORDER BY CASE WHEN isfinite(c.score) THEN c.score END DESC NULLS LAST, c.n_accounts DESC, c.campaign_id
LIMIT $top
