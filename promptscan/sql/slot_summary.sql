-- The slots of some templates (table `wanted`), with the commonest values of each and how many texts have them.
WITH counted AS (
  SELECT template_id, slot, value, count(*) AS n_texts
  FROM slot_values SEMI JOIN wanted USING (template_id)
  GROUP BY template_id, slot, value
),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY template_id, slot ORDER BY n_texts DESC, value) AS place FROM counted
)
SELECT
  t.template_id, t.slot, t.type,
  count(r.value) AS n_values,
  coalesce(round(-sum(r.n_texts / total.n * log2(r.n_texts / total.n)), 9), 0) AS entropy,
  coalesce(
    list({'value': r.value, 'n_texts': r.n_texts} ORDER BY r.place) FILTER (r.place <= $1), []
  ) AS "values"
FROM base_slot_types t
SEMI JOIN wanted USING (template_id)
LEFT JOIN ranked r ON r.template_id = t.template_id AND r.slot = t.slot
LEFT JOIN (SELECT template_id, slot, sum(n_texts) AS n FROM counted GROUP BY ALL) total
  ON total.template_id = t.template_id AND total.slot = t.slot
GROUP BY t.template_id, t.slot, t.type
ORDER BY t.template_id, t.slot
