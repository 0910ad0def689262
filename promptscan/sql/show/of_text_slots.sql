-- What a text has in the slots of its template.
SELECT v.slot, t.type, v.value
FROM slot_values v JOIN base_slot_types t USING (template_id, slot)
WHERE v.text_id = CAST($1 AS BIGINT)
ORDER BY v.slot
