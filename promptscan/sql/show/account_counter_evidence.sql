-- What the campaigns of an account record against themselves.
SELECT c.campaign_id, c.counter_evidence::VARCHAR AS counter_evidence
FROM campaigns c JOIN (FROM campaign_accounts WHERE account_id = $1) m USING (campaign_id)
ORDER BY m.score DESC NULLS LAST, c.campaign_id
