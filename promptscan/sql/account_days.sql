-- Prompts per day of the accounts in the table `wanted`.
WITH daily AS (
  SELECT account_id, ts::DATE AS "day", count(*) AS n
  FROM base_prompts SEMI JOIN wanted USING (account_id)
  WHERE ts IS NOT NULL
  GROUP BY account_id, "day"
),
listed AS (
  SELECT account_id, list({'day': "day", 'n_prompts': n} ORDER BY "day") AS days FROM daily GROUP BY account_id
)
SELECT w.account_id, coalesce(l.days, []) AS days FROM wanted w LEFT JOIN listed l USING (account_id)
