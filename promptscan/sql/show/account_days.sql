-- An account day by day: its prompts, and those in families of its campaigns.
WITH own AS (
  SELECT DISTINCT family_id
  FROM campaign_families SEMI JOIN (FROM campaign_accounts WHERE account_id = $1) m USING (campaign_id)
)
SELECT p.ts::DATE AS day, count(*) AS n_prompts, count(o.family_id) AS n_in_campaigns
FROM prompts p
LEFT JOIN base_text_cleans c USING (text_id)
LEFT JOIN base_members b ON b.clean_id = c.clean_id
LEFT JOIN own o ON o.family_id = b.family_id
WHERE p.account_id = $1 AND p.ts IS NOT NULL
GROUP BY day
ORDER BY day
