-- The templates that texts of a family have, and those they are cases of.
WITH own AS (
  SELECT t.template_id, count(*) AS n_in_family
  FROM base_members m JOIN base_template_members t USING (clean_id)
  WHERE m.family_id = $1
  GROUP BY t.template_id
),
held AS (
  SELECT template_id, sum(n_in_family)::BIGINT AS n_in_family FROM (
    FROM own
    UNION ALL
    SELECT a.ancestor_id, o.n_in_family FROM own o JOIN base_template_ancestors a USING (template_id)
  ) GROUP BY template_id
)
SELECT h.template_id, t.parent_id, h.n_in_family, t.n_texts, t.n_prompts, t.n_accounts, t.template
FROM (FROM held ORDER BY n_in_family DESC, template_id LIMIT 15) h JOIN templates t USING (template_id)
ORDER BY h.n_in_family DESC, h.template_id
