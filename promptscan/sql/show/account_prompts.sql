-- The latest prompts of an account.
SELECT p.prompt_id, p.ts, t.family_id, t.text
FROM prompts p JOIN texts t USING (text_id)
WHERE p.account_id = $1
ORDER BY p.ts DESC NULLS LAST, p.prompt_id
LIMIT 15
