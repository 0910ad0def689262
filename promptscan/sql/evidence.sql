-- What the evidence about families is made from, by number: families that enough accounts share, accounts in the order of
-- their ids, and who sent what of which family. `least` is a variable: the fewest accounts of a family that is looked at.
CREATE TEMP TABLE candidates AS
SELECT
  s.family_id, row_number() OVER (ORDER BY s.family_id[3:]::BIGINT) - 1 AS family,
  s.n_accounts, s.n_prompts, s.n_texts, s.effective_accounts, n.reuse, n.frame, n.kind,
  coalesce(k.benign_share, 0) AS benign_share
FROM base_family_stats s
JOIN base_family_names n USING (family_id)
LEFT JOIN base_family_marks k USING (family_id)
WHERE s.n_accounts >= getvariable('least');

CREATE TEMP TABLE people AS
SELECT
  s.account_id, row_number() OVER (ORDER BY s.account_id) - 1 AS account, s.n_prompts, s.first_ts, a.created_at
FROM base_account_stats s
LEFT JOIN (
  SELECT account_id, arg_max(created_at, loaded) AS created_at FROM base_accounts GROUP BY account_id
) a USING (account_id);

CREATE TEMP TABLE pairs AS
SELECT c.family, p.account, f.n_prompts, f.first_ts, f.last_ts
FROM base_family_accounts f
JOIN candidates c USING (family_id)
JOIN people p USING (account_id);

CREATE TEMP TABLE sent AS
SELECT c.family, p.account, q.ts, q.text_id, t.clean_id, q.model
FROM base_members m
JOIN candidates c USING (family_id)
JOIN base_text_cleans t USING (clean_id)
JOIN base_prompts q USING (text_id)
JOIN people p ON p.account_id = q.account_id;

-- families whose texts were compared and are related are one thing to a person: they are no companions of each other
CREATE TEMP TABLE relatives AS
SELECT DISTINCT a.family AS family, b.family AS other
FROM base_edges e
JOIN (SELECT clean_id, family FROM base_members JOIN candidates USING (family_id)) a ON a.clean_id = e.clean_a
JOIN (SELECT clean_id, family FROM base_members JOIN candidates USING (family_id)) b ON b.clean_id = e.clean_b
WHERE a.family <> b.family;

CREATE TEMP TABLE belongings AS
SELECT p.account, kind, dense_rank() OVER (PARTITION BY kind ORDER BY value) - 1 AS value, value AS written
FROM (
  SELECT account_id, kind, value FROM base_entities
  UNION
  SELECT account_id, kind, value FROM base_account_entities
) JOIN people p USING (account_id)
WHERE value IS NOT NULL AND value <> ''
