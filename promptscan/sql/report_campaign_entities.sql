-- The $per_campaign most telling things that accounts of each campaign in $campaigns share.
SELECT campaign_id, kind, value, n_accounts, n_others, CASE WHEN isfinite(weight) THEN weight END AS weight
FROM campaign_entities
WHERE campaign_id IN (SELECT unnest($campaigns::VARCHAR[]))
QUALIFY row_number() OVER (
    PARTITION BY campaign_id ORDER BY n_accounts * weight DESC NULLS LAST, kind, value
) <= $per_campaign
ORDER BY campaign_id, n_accounts * weight DESC NULLS LAST, kind, value
