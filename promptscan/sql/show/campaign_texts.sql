-- Three prompts that show what a campaign sends: of its largest families the exemplar first, then what most accounts sent.
WITH own AS (
  SELECT family_id, row_number() OVER (ORDER BY n_prompts DESC NULLS LAST, family_id) AS place
  FROM campaign_families
  WHERE campaign_id = $1
  QUALIFY place <= 3
),
told AS (
  SELECT
    o.place, m.text_id, m.family_id,
    row_number() OVER (
      PARTITION BY m.family_id
      ORDER BY m.text_id IS DISTINCT FROM f.exemplar_text_id, s.n_accounts DESC NULLS LAST, m.probability DESC, m.text_id
    ) AS number
  FROM family_members m
  JOIN own o USING (family_id)
  JOIN base_family_names f USING (family_id)
  LEFT JOIN base_text_stats s ON s.text_id = m.text_id
  QUALIFY number <= 3
),
chosen AS (FROM told ORDER BY number, place LIMIT 3)
SELECT c.text_id, c.family_id, s.n_prompts, s.n_accounts, t.text
FROM chosen c JOIN base_texts t USING (text_id) LEFT JOIN base_text_stats s USING (text_id)
ORDER BY c.number, c.place
