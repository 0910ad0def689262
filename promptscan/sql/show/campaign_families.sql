-- The families of a campaign, each with the template that most of its texts have.
WITH own AS (
  SELECT family_id, n_prompts, n_accounts, score, reason FROM campaign_families WHERE campaign_id = $1
),
largest AS (
  SELECT m.family_id, t.template_id, count(*) AS n
  FROM base_members m SEMI JOIN own USING (family_id) JOIN base_template_members t USING (clean_id)
  GROUP BY m.family_id, t.template_id
  QUALIFY row_number() OVER (PARTITION BY m.family_id ORDER BY n DESC, t.template_id) = 1
)
SELECT
  o.family_id, o.n_prompts, o.n_accounts, f.n_accounts AS n_accounts_in_all, o.score, f.capability, f.percentile,
  f.benign_share, o.reason, f.label, l.template_id, t.template
FROM own o
LEFT JOIN families f USING (family_id)
LEFT JOIN largest l USING (family_id)
LEFT JOIN base_template_forms t USING (template_id)
ORDER BY o.n_prompts DESC NULLS LAST, o.family_id
LIMIT 15
