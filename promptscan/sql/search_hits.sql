-- One row per hit (`head`): its first prompt of those the filter leaves, and how often and by whom it was sent.
-- `wanted` pairs each hit's clean text with itself and the near-identical ones folded into it.
WITH sent AS (
  SELECT w.head, w.clean_id, p.prompt_id, p.text_id, p.account_id, p.ts
  FROM wanted w JOIN base_text_cleans c USING (clean_id) JOIN /* prompts */ p ON p.text_id = c.text_id
), counted AS (
  SELECT
    head, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts,
    arg_min((prompt_id, text_id, account_id, ts), (clean_id <> head, coalesce(ts, TIMESTAMP 'infinity'), prompt_id)) AS lead
  FROM sent GROUP BY head
)
SELECT
  n.head, k.clean,
  n.lead[1] AS prompt_id, n.lead[2] AS text_id, t.text, n.lead[3] AS account_id, n.lead[4] AS ts,
  n.n_prompts, n.n_accounts, e.template_id, m.family_id, a.campaign_id
FROM counted n
JOIN base_cleans k ON k.clean_id = n.head
JOIN base_texts t ON t.text_id = n.lead[2]
LEFT JOIN base_template_texts e ON e.text_id = t.text_id
LEFT JOIN base_members m ON m.clean_id = n.head
LEFT JOIN (SELECT family_id, min(campaign_id) AS campaign_id FROM base_campaign_families GROUP BY family_id) a ON a.family_id = m.family_id
