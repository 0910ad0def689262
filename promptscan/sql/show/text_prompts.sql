-- Who sent a text.
SELECT account_id, ts, prompt_id
FROM prompts
WHERE text_id = CAST($1 AS BIGINT)
ORDER BY ts NULLS LAST, prompt_id
LIMIT 15
