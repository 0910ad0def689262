-- The templates that are cases of one.
SELECT template_id, n_texts, n_prompts, n_accounts, template
FROM templates
WHERE parent_id = $1
ORDER BY n_accounts DESC, template_id
LIMIT 15
