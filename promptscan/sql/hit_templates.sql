SELECT clean_id, template_id FROM base_template_members WHERE clean_id IN (/* ids */)
