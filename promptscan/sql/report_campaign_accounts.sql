-- The $per_campaign strongest accounts of each campaign in $campaigns.
SELECT campaign_id, account_id, CASE WHEN isfinite(score) THEN score END AS finite_score, reasons
FROM campaign_accounts
WHERE campaign_id IN (SELECT unnest($campaigns::VARCHAR[]))
QUALIFY row_number() OVER (PARTITION BY campaign_id ORDER BY finite_score DESC NULLS LAST, account_id) <= $per_campaign
ORDER BY campaign_id, finite_score DESC NULLS LAST, account_id
