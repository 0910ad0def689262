-- The texts that are shown, and their templates.
SELECT x.text_id, x.text, e.template_id
FROM base_texts x LEFT JOIN base_template_texts e USING (text_id)
WHERE x.text_id IN (/* ids */)
