-- The texts of a family.
SELECT t.text_id, t.n_prompts, t.n_accounts, m.probability, t.text
FROM family_members m JOIN texts t USING (text_id)
WHERE m.family_id = $1
ORDER BY t.n_prompts DESC NULLS LAST, m.probability DESC, t.text_id
LIMIT 15
