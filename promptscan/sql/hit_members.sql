-- The campaigns that some accounts are part of, the surest first.
SELECT account_id, campaign_id
FROM base_campaign_accounts
WHERE account_id IN (SELECT unnest($1::VARCHAR[]))
ORDER BY score DESC NULLS LAST, campaign_id
