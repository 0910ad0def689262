-- What a list says of families (table `wanted`) beyond their row: the template that most of their texts have, prompts per day,
-- what happened last, and which banks know how many of their clean texts.
WITH members AS (
  SELECT m.family_id, m.clean_id FROM base_members m SEMI JOIN wanted USING (family_id)
),
sizes AS (
  SELECT family_id, count(*) AS n FROM members GROUP BY family_id
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
known AS (
  SELECT family_id, bank, kind, count(DISTINCT clean_id) AS n
  FROM members JOIN base_bank_hits USING (clean_id) JOIN base_banks USING (bank_digest)
  GROUP BY family_id, bank, kind
),
marks AS (
  SELECT
    k.family_id,
    list({'bank': k.bank, 'kind': k.kind, 'n_known': k.n, 'share': k.n / s.n} ORDER BY k.kind, k.n DESC, k.bank) AS banks
  FROM known k JOIN sizes s USING (family_id)
  GROUP BY k.family_id
)
SELECT
  w.family_id, l.template_id, f.template, coalesce(d.days, []) AS days, e.event, coalesce(k.banks, []) AS banks
FROM wanted w
LEFT JOIN largest l USING (family_id)
LEFT JOIN base_template_forms f USING (template_id)
LEFT JOIN daily d USING (family_id)
LEFT JOIN newest e USING (family_id)
LEFT JOIN marks k USING (family_id)
