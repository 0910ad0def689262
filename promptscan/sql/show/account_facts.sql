-- What about an account may speak against its part in campaigns.
WITH own AS (FROM campaign_accounts WHERE account_id = $1),
inside AS (
  SELECT DISTINCT family_id FROM campaign_families SEMI JOIN own USING (campaign_id)
),
outside AS (
  SELECT count(*) AS n_families
  FROM family_accounts ANTI JOIN inside USING (family_id)
  WHERE account_id = $1
),
held AS (
  SELECT coalesce(sum(n_prompts), 0)::BIGINT AS n_inside
  FROM family_accounts SEMI JOIN inside USING (family_id)
  WHERE account_id = $1
)
SELECT
  a.n_prompts, held.n_inside, outside.n_families AS n_other_families,
  epoch((SELECT min(first_ts) FROM own) - coalesce(a.created_at, a.first_ts)) / 86400 AS days_before,
  (SELECT count(*) FROM own) AS n_campaigns
FROM accounts a, outside, held
WHERE a.account_id = $1
