-- Alarms since $since, newest first.
SELECT alert_id, fired_at, kind, campaign_id, family_id, CASE WHEN isfinite(score) THEN score END AS score, message
FROM alerts
WHERE $since::TIMESTAMP IS NULL OR fired_at >= $since::TIMESTAMP
ORDER BY fired_at DESC, score DESC NULLS LAST, alert_id
LIMIT $top
