-- A template.
SELECT * FROM templates WHERE template_id = $1
