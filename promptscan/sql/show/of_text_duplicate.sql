-- The duplicate group that a text is in, with its medoid.
SELECT d.duplicate_id, d.n_texts, d.n_prompts, d.n_accounts, d.medoid_text_id, m.score, k.text
FROM base_text_cleans c
JOIN base_duplicate_members m USING (clean_id)
JOIN duplicates d USING (duplicate_id)
LEFT JOIN base_texts k ON k.text_id = d.medoid_text_id
WHERE c.text_id = CAST($1 AS BIGINT)
