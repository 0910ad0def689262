-- One row per hit (`head`): its first prompt, and how often and by whom it was sent. `wanted` pairs each hit's clean text
-- with itself and the near-identical ones folded into it. The relations are those of the whole store, or of the prompts
-- that a filter leaves.
WITH texts_of AS (
  SELECT w.head, w.clean_id, c.text_id FROM wanted w JOIN base_cleans c USING (clean_id)
  UNION ALL
  SELECT w.head, w.clean_id, v.text_id FROM wanted w JOIN base_text_variants v USING (clean_id)
), counted AS (
  SELECT
    t.head, sum(s.n_prompts)::BIGINT AS n_prompts,
    arg_min((s.prompt_id, s.text_id, s.account_id, s.first_ts), (t.clean_id <> t.head, coalesce(s.first_ts, TIMESTAMP 'infinity'), s.prompt_id)) AS lead
  FROM texts_of t JOIN /* stats */ s USING (text_id)
  GROUP BY t.head
), senders AS (
  SELECT t.head, count(DISTINCT a.account_id) AS n_accounts
  FROM texts_of t JOIN /* accounts */ a USING (text_id)
  GROUP BY t.head
)
SELECT
  n.head, n.lead[1] AS prompt_id, n.lead[2] AS text_id, x.text, n.lead[3] AS account_id, n.lead[4] AS ts,
  n.n_prompts, s.n_accounts, e.template_id, m.family_id, c.campaign_id
FROM counted n
JOIN senders s USING (head)
JOIN base_texts x ON x.text_id = n.lead[2]
LEFT JOIN base_template_texts e ON e.text_id = x.text_id
LEFT JOIN base_members m ON m.clean_id = n.head
LEFT JOIN (SELECT family_id, min(campaign_id) AS campaign_id FROM base_campaign_families GROUP BY family_id) c ON c.family_id = m.family_id
