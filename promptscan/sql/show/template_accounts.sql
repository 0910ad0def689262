-- Who sent texts of a template.
SELECT p.account_id, count(*) AS n_prompts, min(p.ts) AS first_ts, max(p.ts) AS last_ts
FROM texts t JOIN prompts p USING (text_id)
WHERE t.template_id = $1
GROUP BY p.account_id
ORDER BY n_prompts DESC, p.account_id
LIMIT 15
