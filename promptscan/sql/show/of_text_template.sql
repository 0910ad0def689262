-- The template that a text has.
SELECT m.template_id, f.n_slots, n.parent_id, f.template
FROM base_text_cleans c
JOIN base_template_members m USING (clean_id)
JOIN base_template_forms f USING (template_id)
LEFT JOIN base_template_parents n USING (template_id)
WHERE c.text_id = CAST($1 AS BIGINT)
