-- Templates of some families ($families: ids) that at least $least accounts sent, most prompts first, with when and how often, and
-- the range of lengths in each slot. A family of copies without a template has its text, as a template without slots.
WITH member AS (
  SELECT m.family_id, m.clean_id, t.template_id
  FROM base_members m LEFT JOIN base_template_members t USING (clean_id)
  WHERE m.family_id IN (SELECT unnest($families))
),
known AS (
  SELECT family_id, max(capability) FILTER (rank = 1 AND capability <> 'other') AS capability
  FROM base_capabilities GROUP BY family_id
),
copies AS (
  SELECT f.family_id, c.clean
  FROM base_family_names f
  JOIN base_text_cleans x ON x.text_id = f.exemplar_text_id
  JOIN base_cleans c USING (clean_id)
  WHERE f.kind = 'copies' AND f.family_id IN (SELECT unnest($families))
),
holder AS (
  SELECT template_id AS key, clean_id, family_id FROM member WHERE template_id IS NOT NULL
  UNION ALL
  SELECT family_id, clean_id, family_id FROM member SEMI JOIN copies USING (family_id)
),
seen AS (
  SELECT h.key, count(*) AS n_prompts, count(DISTINCT p.account_id) AS n_accounts,
    min(p.ts)::DATE AS first_day, max(p.ts)::DATE AS last_day, mode(k.capability) AS capability
  FROM holder h
  JOIN base_text_cleans c USING (clean_id)
  JOIN base_prompts p USING (text_id)
  LEFT JOIN known k USING (family_id)
  GROUP BY h.key HAVING count(DISTINCT p.account_id) >= $least
),
length AS (
  SELECT v.template_id, v.slot, min(length(v.value)) AS least, max(length(v.value)) AS most
  FROM base_slot_fills v SEMI JOIN member m ON m.clean_id = v.clean_id
  GROUP BY v.template_id, v.slot
),
shaped AS (
  SELECT t.template_id AS key, list({'type': t.type, 'least': coalesce(l.least, 0), 'most': coalesce(l.most, 0)} ORDER BY t.slot) AS slots
  FROM base_slot_types t LEFT JOIN length l USING (template_id, slot) GROUP BY t.template_id
)
SELECT s.*, f.template, c.clean AS copy, coalesce(h.slots, []) AS slots
FROM seen s
LEFT JOIN base_template_forms f ON f.template_id = s.key
LEFT JOIN copies c ON c.family_id = s.key
LEFT JOIN shaped h USING (key)
ORDER BY s.n_prompts DESC, s.key
