-- What the joins of prompts, texts, families and accounts say; one statement a table, in the order they need.
-- Duplicated event rows are gone by now: base_prompts holds every prompt once.
-- kept_text_stats: rows of an earlier build whose texts were not sent since; stale_prompts: all prompts of the other texts.
CREATE TEMP TABLE new_text_stats AS
SELECT
  text_id, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts,
  min(ts) AS first_ts, max(ts) AS last_ts,
  arg_min(prompt_id, (coalesce(ts, TIMESTAMP 'infinity'), prompt_id)) AS prompt_id,
  arg_min(account_id, (coalesce(ts, TIMESTAMP 'infinity'), prompt_id)) AS account_id
FROM stale_prompts GROUP BY text_id
UNION ALL
FROM kept_text_stats;

CREATE TEMP TABLE new_account_stats AS
SELECT account_id, count(*) AS n_prompts, min(ts) AS first_ts, max(ts) AS last_ts
FROM base_prompts GROUP BY account_id;

CREATE TEMP TABLE family_prompts AS
SELECT m.family_id, p.account_id, p.text_id, c.clean_id, p.ts
FROM base_prompts p
JOIN base_text_cleans c USING (text_id)
JOIN base_members m USING (clean_id);

CREATE TEMP TABLE new_family_accounts AS
SELECT
  f.family_id, f.account_id, f.n_prompts,
  f.n_prompts / a.n_prompts AS share,
  f.n_prompts / sum(f.n_prompts) OVER (PARTITION BY f.family_id) AS family_share,
  f.first_ts, f.last_ts
FROM (
  SELECT family_id, account_id, count(*) AS n_prompts, min(ts) AS first_ts, max(ts) AS last_ts
  FROM family_prompts GROUP BY family_id, account_id
) f
JOIN new_account_stats a USING (account_id);

CREATE TEMP TABLE new_family_days AS
SELECT family_id, CAST(ts AS DATE) AS day, count(*) AS n_prompts, count(DISTINCT account_id) AS n_accounts
FROM family_prompts WHERE ts IS NOT NULL GROUP BY family_id, day;

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
JOIN (
  SELECT family_id, count(DISTINCT f.text_id) AS n_texts, count(DISTINCT t.template_id) AS n_templates
  FROM family_prompts f LEFT JOIN base_template_members t USING (clean_id) GROUP BY family_id
) t USING (family_id);
