-- Accounts as they are listed: with their families, their age at the first prompt, and the campaign they are surest part of.
WITH surest AS (
  SELECT
    account_id, campaign_id, score AS campaign_score, share AS campaign_share,
    count(*) OVER (PARTITION BY account_id) AS n_campaigns
  FROM campaign_accounts
  QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY score DESC NULLS LAST, campaign_id) = 1
),
held AS (
  SELECT account_id, count(*) AS n_families FROM family_accounts GROUP BY account_id
),
known AS (  -- a column of the accounts file that has one of our names is read from the view
  SELECT COLUMNS(lambda name: name NOT IN ('n_families', 'age_days', 'campaign_id', 'campaign_score', 'campaign_share', 'n_campaigns'))
  FROM accounts
)
SELECT
  k.*, coalesce(h.n_families, 0) AS n_families, epoch(k.first_ts - k.created_at) / 86400 AS age_days,
  s.campaign_id, s.campaign_score, s.campaign_share, coalesce(s.n_campaigns, 0) AS n_campaigns
FROM known k
LEFT JOIN held h USING (account_id)
LEFT JOIN surest s USING (account_id)
