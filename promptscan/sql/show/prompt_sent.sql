-- Other prompts with the text of one.
SELECT q.account_id, q.ts, q.prompt_id
FROM prompts p JOIN prompts q USING (text_id)
WHERE p.prompt_id = $1 AND q.prompt_id <> $1
ORDER BY q.ts NULLS LAST, q.prompt_id
LIMIT 15
