-- The families that an account takes part in, and the campaign of the account that each is part of.
SELECT
  a.family_id, a.n_prompts, a.share, f.n_accounts, f.capability,
  (
    SELECT arg_min(m.campaign_id, (-coalesce(m.score, -1), m.campaign_id))
    FROM campaign_families c JOIN campaign_accounts m USING (campaign_id)
    WHERE c.family_id = a.family_id AND m.account_id = $1
  ) AS campaign_id,
  f.label
FROM family_accounts a JOIN families f USING (family_id)
WHERE a.account_id = $1
ORDER BY a.n_prompts DESC, a.family_id
LIMIT 15
