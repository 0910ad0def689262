-- The families that texts of a template are in.
SELECT family_id, count(*) AS n_texts
FROM texts
WHERE template_id = $1 AND family_id IS NOT NULL
GROUP BY family_id
ORDER BY n_texts DESC, family_id
