-- Clean texts of what a verdict is on, most-sent first: $1 family ids, $2 at most so many.
SELECT c.clean
FROM base_members m
JOIN base_cleans c USING (clean_id)
LEFT JOIN (
  SELECT clean_id, sum(n_prompts) AS n_prompts FROM base_text_cleans JOIN base_text_stats USING (text_id) GROUP BY clean_id
) s USING (clean_id)
WHERE m.family_id IN (SELECT unnest($1))
ORDER BY s.n_prompts DESC NULLS LAST, m.clean_id
LIMIT $2
