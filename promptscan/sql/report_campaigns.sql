-- The $top campaigns by score.
SELECT
    campaign_id, CASE WHEN isfinite(score) THEN score END AS finite_score, n_accounts, n_families, n_prompts,
    first_ts, last_ts, evidence::VARCHAR AS evidence, counter_evidence::VARCHAR AS counter_evidence
FROM campaigns
ORDER BY finite_score DESC NULLS LAST, n_accounts DESC, campaign_id
LIMIT $top
