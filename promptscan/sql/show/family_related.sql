-- Families that have something in common with one: texts that were compared and are related, accounts, the cluster above.
WITH own AS (
  SELECT clean_id FROM base_members WHERE family_id = $1
),
pairs AS (
  SELECT clean_b AS clean_id FROM base_edges SEMI JOIN own ON clean_a = own.clean_id
  UNION ALL
  SELECT clean_a FROM base_edges SEMI JOIN own ON clean_b = own.clean_id
),
by_text AS (
  SELECT family_id, count(*) AS n_pairs FROM pairs JOIN base_members USING (clean_id) WHERE family_id <> $1 GROUP BY family_id
),
by_account AS (
  SELECT b.family_id, count(*) AS n_common_accounts
  FROM family_accounts a JOIN family_accounts b USING (account_id)
  WHERE a.family_id = $1 AND b.family_id <> $1
  GROUP BY b.family_id
),
by_cluster AS (
  SELECT b.family_id, p.node AS cluster
  FROM family_tree a JOIN family_tree b ON b.parent = a.parent JOIN family_tree p ON p.node = a.parent
  WHERE a.family_id = $1 AND b.family_id <> $1
)
SELECT
  f.family_id, coalesce(t.n_pairs, 0) AS n_pairs, coalesce(a.n_common_accounts, 0) AS n_common_accounts,
  f.n_accounts, c.cluster, f.label
FROM families f
LEFT JOIN by_text t USING (family_id)
LEFT JOIN by_account a USING (family_id)
LEFT JOIN by_cluster c USING (family_id)
WHERE t.n_pairs IS NOT NULL OR a.n_common_accounts IS NOT NULL OR c.cluster IS NOT NULL
ORDER BY n_pairs DESC, c.cluster IS NULL, n_common_accounts DESC, f.family_id[3:]::BIGINT
LIMIT 10
