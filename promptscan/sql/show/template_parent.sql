-- The template that one is a case of.
SELECT template_id, n_texts, n_prompts, n_accounts, template
FROM templates
WHERE template_id = (SELECT parent_id FROM base_template_parents WHERE template_id = $1)
