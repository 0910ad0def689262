-- Texts of a template and what they have in its slots.
SELECT t.text_id, t.n_prompts, t.n_accounts, list(v.value ORDER BY v.slot) AS "values", t.text
FROM (FROM texts WHERE template_id = $1 ORDER BY n_prompts DESC NULLS LAST, text_id LIMIT 10) t
LEFT JOIN slot_values v ON v.text_id = t.text_id AND v.template_id = $1
GROUP BY t.text_id, t.n_prompts, t.n_accounts, t.text
ORDER BY t.n_prompts DESC NULLS LAST, t.text_id
