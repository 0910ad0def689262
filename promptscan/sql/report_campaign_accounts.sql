-- The $per_campaign surest accounts of each campaign in $campaigns.
SELECT
    campaign_id, account_id, CASE WHEN isfinite(m.score) THEN m.score END AS score, n_prompts,
    CASE WHEN isfinite(share) THEN share END AS share, reasons
FROM campaign_accounts AS m
WHERE campaign_id IN (SELECT unnest($campaigns::VARCHAR[]))
QUALIFY row_number() OVER (
    PARTITION BY campaign_id
    ORDER BY CASE WHEN isfinite(m.score) THEN m.score END DESC NULLS LAST, n_prompts DESC NULLS LAST, account_id
) <= $per_campaign
ORDER BY campaign_id, CASE WHEN isfinite(m.score) THEN m.score END DESC NULLS LAST, n_prompts DESC NULLS LAST, account_id
