-- A text.
SELECT * FROM texts WHERE text_id = CAST($1 AS BIGINT)
