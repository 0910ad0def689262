-- What the joins of prompts, texts, families and accounts say; one statement a table, in the order they need.
-- Duplicated event rows are gone by now: base_prompts holds every prompt once.
-- Rows of an earlier build stay where nothing new concerns them (promptscan/accounts.py makes the tables that say what does):
-- stale_prompts: all prompts of the texts that are counted again; kept_text_stats: rows of the other texts, which stay.
-- added_prompts: prompts since then; kept_account_stats, kept_family_accounts, kept_family_days, kept_family_stats: rows of then,
-- the last three of families that no text has left; counted_cleans: texts that came to their family since then, and all
-- those of families that texts have left; concerned_families: those whose texts or templates are others than then.
CREATE TEMP TABLE new_text_stats AS
SELECT
  text_id, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts,
  min(ts) AS first_ts, max(ts) AS last_ts,
  arg_min(prompt_id, (coalesce(ts, TIMESTAMP 'infinity'), prompt_id)) AS prompt_id,
  arg_min(account_id, (coalesce(ts, TIMESTAMP 'infinity'), prompt_id)) AS account_id
FROM stale_prompts GROUP BY text_id;

CREATE TEMP TABLE new_account_stats AS
SELECT account_id, sum(n_prompts)::BIGINT AS n_prompts, min(first_ts) AS first_ts, max(last_ts) AS last_ts
FROM (
  SELECT account_id, count(*) AS n_prompts, min(ts) AS first_ts, max(ts) AS last_ts FROM added_prompts GROUP BY account_id
  UNION ALL
  SELECT account_id, n_prompts, first_ts, last_ts FROM kept_account_stats
)
GROUP BY account_id;

CREATE TEMP TABLE counted_texts AS
SELECT c.text_id, k.family_id FROM base_text_cleans c JOIN counted_cleans k USING (clean_id);

-- what the kept rows of families do not count
CREATE TEMP TABLE family_prompts AS
SELECT c.family_id, p.account_id, p.text_id, p.ts
FROM base_prompts p JOIN counted_texts c USING (text_id)
UNION ALL
SELECT m.family_id, p.account_id, p.text_id, p.ts
FROM added_prompts p
JOIN base_text_cleans c USING (text_id)
JOIN base_members m USING (clean_id)
ANTI JOIN counted_cleans k USING (clean_id);

CREATE TEMP TABLE new_family_accounts AS
SELECT
  f.family_id, f.account_id, f.n_prompts,
  f.n_prompts / a.n_prompts AS share,
  f.n_prompts / sum(f.n_prompts) OVER (PARTITION BY f.family_id) AS family_share,
  f.first_ts, f.last_ts
FROM (
  SELECT family_id, account_id, sum(n_prompts)::BIGINT AS n_prompts, min(first_ts) AS first_ts, max(last_ts) AS last_ts
  FROM (
    SELECT family_id, account_id, count(*) AS n_prompts, min(ts) AS first_ts, max(ts) AS last_ts
    FROM family_prompts GROUP BY family_id, account_id
    UNION ALL
    SELECT family_id, account_id, n_prompts, first_ts, last_ts FROM kept_family_accounts
  )
  GROUP BY family_id, account_id
) f
JOIN new_account_stats a USING (account_id);

-- accounts of a day can't be added up: the days with something new are counted again
CREATE TEMP TABLE counted_days AS
SELECT DISTINCT family_id, CAST(ts AS DATE) AS day FROM family_prompts WHERE ts IS NOT NULL;

CREATE TEMP TABLE day_texts AS
SELECT c.text_id, m.family_id
FROM base_members m SEMI JOIN counted_days USING (family_id) JOIN base_text_cleans c USING (clean_id);

CREATE TEMP TABLE new_family_days AS
SELECT family_id, day, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts
FROM (
  SELECT t.family_id, CAST(p.ts AS DATE) AS day, p.account_id
  FROM base_prompts p JOIN day_texts t USING (text_id)
  WHERE p.ts >= (SELECT min(day) FROM counted_days) AND p.ts < (SELECT max(day) + INTERVAL 1 DAY FROM counted_days)
)
SEMI JOIN counted_days USING (family_id, day)
GROUP BY family_id, day
UNION ALL
SELECT family_id, day, n_prompts, n_accounts FROM kept_family_days ANTI JOIN counted_days USING (family_id, day);

CREATE TEMP TABLE family_sizes AS
SELECT m.family_id, count(DISTINCT c.text_id) AS n_texts, count(DISTINCT t.template_id) AS n_templates
FROM base_members m
SEMI JOIN concerned_families USING (family_id)
JOIN base_text_cleans c USING (clean_id)
SEMI JOIN (SELECT text_id FROM new_text_stats UNION ALL SELECT text_id FROM kept_text_stats) USING (text_id)
LEFT JOIN base_template_members t USING (clean_id)
GROUP BY m.family_id
UNION ALL
SELECT family_id, n_texts, n_templates FROM kept_family_stats ANTI JOIN concerned_families USING (family_id);

-- effective accounts: 1 / sum of squared shares of the family's prompts (inverse Simpson index, Hill number of order 2):
-- 100 accounts that share evenly count 100, one loud account among 99 quiet ones counts little more than 1.
-- score: effective accounts times the square of template reuse, so that both must be high; wording that is shared but
-- short ("thanks", "continue") is nobody's template and counts in proportion up to 20 tokens (docs/decisions/004-ranking.md).
CREATE TEMP TABLE new_family_stats AS
SELECT
  n.family_id, t.n_templates, t.n_texts,
  a.n_prompts::BIGINT AS n_prompts, a.n_accounts, a.effective_accounts, a.first_ts, a.last_ts,
  a.effective_accounts * n.reuse * n.reuse * least(n.frame / 20, 1) AS score
FROM base_family_names n
JOIN (
  SELECT
    family_id, sum(n_prompts) AS n_prompts, count(*) AS n_accounts,
    pow(sum(n_prompts), 2) / sum(n_prompts * n_prompts) AS effective_accounts,  -- of whole numbers: equal in any order
    min(first_ts) AS first_ts, max(last_ts) AS last_ts
  FROM new_family_accounts GROUP BY family_id
) a USING (family_id)
JOIN family_sizes t USING (family_id);
