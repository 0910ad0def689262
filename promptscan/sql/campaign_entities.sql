-- What the accounts of interest (table `taking_part`) have that others may have too, numbered, with how many have it in the store.
CREATE TEMP TABLE held AS
SELECT b.account, b.kind, b.written, s.total, dense_rank() OVER (ORDER BY b.kind, b.written) - 1 AS entity
FROM belongings b
JOIN (SELECT kind, value, count(*) AS total FROM belongings GROUP BY kind, value) s USING (kind, value)
SEMI JOIN taking_part USING (account)
WHERE b.kind NOT IN ('org_id', 'country')
