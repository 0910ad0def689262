-- The enforcement queue: one row per account, for the campaign it is surest to be in; no text of any prompt.
-- $campaign: one campaign, or NULL for all; $least: lowest score; $most: entities named for an account.
-- Reads verdict_marks (promptscan.verdicts). What was judged benign, account or campaign, is left out.
WITH judged AS (
  SELECT c.campaign_id, c.severity, c.score AS campaign_score, coalesce(own.verdict, alert.verdict) AS campaign_verdict
  FROM campaigns c
  LEFT JOIN verdict_marks own ON own.subject = c.campaign_id
  LEFT JOIN (
    SELECT a.campaign_id, arg_max(m.verdict, m.ts) AS verdict
    FROM alerts a JOIN verdict_marks m ON m.subject = a.alert_id GROUP BY a.campaign_id
  ) alert ON alert.campaign_id = c.campaign_id
),
listed AS (
  SELECT a.*, j.severity, j.campaign_score, j.campaign_verdict, m.verdict AS account_verdict
  FROM campaign_accounts a
  JOIN judged j USING (campaign_id)
  LEFT JOIN verdict_marks m ON m.subject = 'account:' || a.account_id
  WHERE a.score >= $least AND ($campaign IS NULL OR a.campaign_id = $campaign)
    AND j.campaign_verdict IS DISTINCT FROM 'benign' AND m.verdict IS DISTINCT FROM 'benign'
),
chosen AS (
  SELECT * FROM listed
  QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY score DESC, campaign_score DESC, campaign_id) = 1
),
others AS (
  SELECT l.account_id, list(l.campaign_id ORDER BY l.score DESC, l.campaign_id) AS other_campaigns
  FROM listed l ANTI JOIN chosen c ON c.account_id = l.account_id AND c.campaign_id = l.campaign_id
  GROUP BY l.account_id
),
sent AS (
  SELECT c.account_id, list(f.family_id ORDER BY a.n_prompts DESC, f.family_id) AS families
  FROM chosen c
  JOIN campaign_families f USING (campaign_id)
  JOIN family_accounts a ON a.family_id = f.family_id AND a.account_id = c.account_id
  GROUP BY c.account_id
),
owned AS (
  SELECT c.account_id, s.kind, s.value, s.n_accounts
  FROM chosen c
  JOIN campaign_entities s USING (campaign_id)
  JOIN entities e ON e.account_id = c.account_id AND e.kind = s.kind AND e.value = s.value
  QUALIFY row_number() OVER (PARTITION BY c.account_id ORDER BY s.weight DESC, s.n_accounts DESC, s.kind, s.value) <= $most
),
shared AS (
  SELECT account_id, list({'kind': kind, 'value': value, 'n_accounts': n_accounts} ORDER BY n_accounts DESC, kind, value) AS shared_entities
  FROM owned GROUP BY account_id
)
SELECT
  c.account_id, c.campaign_id, c.score, c.severity, c.reasons, c.n_prompts, c.share, c.first_ts, c.last_ts,
  coalesce(s.families, []) AS families, coalesce(e.shared_entities, []) AS shared_entities,
  coalesce(o.other_campaigns, []) AS other_campaigns, c.campaign_verdict, c.account_verdict
FROM chosen c
LEFT JOIN sent s USING (account_id)
LEFT JOIN shared e USING (account_id)
LEFT JOIN others o USING (account_id)
ORDER BY c.score DESC, c.campaign_score DESC, c.n_prompts DESC, c.account_id
