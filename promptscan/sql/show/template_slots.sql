-- The slots of a template, with their five commonest values.
WITH common AS (
  SELECT slot, value, count(*) AS n
  FROM slot_values
  WHERE template_id = $1
  GROUP BY slot, value
  QUALIFY row_number() OVER (PARTITION BY slot ORDER BY n DESC, value) <= 5
)
SELECT
  s.slot, s.type, s.n_values, s.entropy,
  string_agg(v.value[1:60], ' | ' ORDER BY v.n DESC, v.value) AS text,
  coalesce(list({'value': v.value, 'n_texts': v.n} ORDER BY v.n DESC, v.value) FILTER (v.n IS NOT NULL), []) AS "values"
FROM slots s LEFT JOIN common v USING (slot)
WHERE s.template_id = $1
GROUP BY s.slot, s.type, s.n_values, s.entropy
ORDER BY s.slot
