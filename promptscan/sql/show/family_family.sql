-- A family, with its exemplar.
SELECT f.*, t.text AS exemplar
FROM families f LEFT JOIN texts t ON t.text_id = f.exemplar_text_id
WHERE f.family_id = $1
