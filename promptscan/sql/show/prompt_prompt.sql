-- A prompt, with its text.
SELECT p.*, t.family_id, t.n_prompts, t.n_accounts, t.text
FROM prompts p JOIN texts t USING (text_id)
WHERE p.prompt_id = $1
LIMIT 1
