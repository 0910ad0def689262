-- A group of near-duplicates, with its medoid.
SELECT d.*, t.text
FROM duplicates d LEFT JOIN texts t ON t.text_id = d.medoid_text_id
WHERE d.duplicate_id = CAST($1 AS BIGINT)
