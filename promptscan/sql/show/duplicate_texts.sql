-- The texts of a group of near-duplicates.
SELECT t.text_id, t.n_prompts, t.n_accounts, m.score, t.text
FROM texts t JOIN base_duplicate_members m USING (clean_id)
WHERE t.duplicate_id = CAST($1 AS BIGINT)
ORDER BY t.n_prompts DESC NULLS LAST, t.text_id
LIMIT 15
