-- What a list says of families (table `wanted`) beyond their row: the template that most of their texts have, prompts per day,
-- what happened last, and which banks know how many of their texts.
WITH members AS (
  SELECT m.family_id, m.clean_id FROM base_members m SEMI JOIN wanted USING (family_id)
),
largest AS (
  SELECT family_id, template_id, count(*) AS n
  FROM members JOIN base_template_members USING (clean_id)
  GROUP BY family_id, template_id
  QUALIFY row_number() OVER (PARTITION BY family_id ORDER BY n DESC, template_id[3:]::BIGINT) = 1
),
daily AS (
  SELECT family_id, list({'day': "day", 'n_prompts': n_prompts} ORDER BY "day") AS days
  FROM family_days SEMI JOIN wanted USING (family_id)
  WHERE "day" IS NOT NULL
  GROUP BY family_id
),
newest AS (
  SELECT
    family_id,
    arg_max({
      'ts': ts, 'event': event, 'other_family_id': other_family_id,
      'n_before': n_before, 'n_texts': n_texts, 'n_shared': n_shared
    }, (ts, run_id, event)) AS event
  FROM family_events SEMI JOIN wanted USING (family_id)
  GROUP BY family_id
),
marks AS (
  SELECT
    family_id,
    list({'bank': bank, 'kind': kind, 'n_known': n_known, 'share': share} ORDER BY kind, n_known DESC, bank) AS banks
  FROM family_banks SEMI JOIN wanted USING (family_id)
  GROUP BY family_id
)
SELECT
  w.family_id, l.template_id, f.template, coalesce(d.days, []) AS days, e.event, coalesce(k.banks, []) AS banks
FROM wanted w
LEFT JOIN largest l USING (family_id)
LEFT JOIN base_template_forms f USING (template_id)
LEFT JOIN daily d USING (family_id)
LEFT JOIN newest e USING (family_id)
LEFT JOIN marks k USING (family_id)
