SELECT text_id, template_id FROM base_template_texts WHERE text_id IN (/* ids */)
