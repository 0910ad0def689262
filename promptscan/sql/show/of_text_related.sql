-- The texts that were compared with a text and are related, strongest first; the first text of a clean form stands for all.
WITH own AS (
  SELECT k.text_id FROM base_text_cleans c JOIN base_cleans k USING (clean_id) WHERE c.text_id = CAST($1 AS BIGINT)
),
related AS (
  SELECT e.other_text_id AS text_id, e.kind, e.score FROM edges e SEMI JOIN own ON e.text_id = own.text_id
  UNION ALL
  SELECT e.text_id, e.kind, e.score FROM edges e SEMI JOIN own ON e.other_text_id = own.text_id
)
SELECT r.text_id, r.kind, r.score, t.n_prompts, t.n_accounts, t.text
FROM related r JOIN texts t USING (text_id)
ORDER BY list_position(['copy', 'edit', 'contain', 'template', 'reword', 'translate'], r.kind), r.score DESC, r.text_id
LIMIT 15
