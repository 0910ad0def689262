-- Families against the truth. `truth_rows`: prompt_id, campaign_id, family_id, label; cover traffic counts as benign.
CREATE TEMP TABLE judged AS
SELECT
  p.prompt_id, p.account_id, m.family_id AS found_family, t.family_id AS true_family,
  CASE WHEN coalesce(t.label, '') <> 'campaign_cover' THEN t.campaign_id END AS campaign_id
FROM truth_rows t
JOIN prompts p USING (prompt_id)
LEFT JOIN base_text_cleans c USING (text_id)
LEFT JOIN base_members m USING (clean_id);

CREATE TEMP TABLE owners AS
SELECT found_family, campaign_id, n AS n_owned, n_all
FROM (
  SELECT found_family, campaign_id, count(*) AS n, sum(count(*)) OVER (PARTITION BY found_family) AS n_all
  FROM judged WHERE found_family IS NOT NULL GROUP BY found_family, campaign_id
)
WHERE campaign_id IS NOT NULL AND n >= getvariable('majority') * n_all
QUALIFY row_number() OVER (PARTITION BY found_family ORDER BY n DESC, campaign_id) = 1;

CREATE TEMP TABLE ranks AS
SELECT family_id AS found_family, row_number() OVER (ORDER BY score DESC NULLS LAST, family_id) AS rank FROM families;

CREATE TEMP TABLE account_scores AS
SELECT
  campaign_id,
  count(*) FILTER (sent AND inside) / nullif(count(*) FILTER (inside), 0) AS account_precision,
  count(*) FILTER (sent AND inside) / nullif(count(*) FILTER (sent), 0) AS account_recall,
  count(*) FILTER (sent) AS accounts
FROM (
  SELECT campaign_id, account_id, bool_or(sent) AS sent, bool_or(inside) AS inside
  FROM (
    SELECT campaign_id, account_id, true AS sent, false AS inside FROM judged WHERE campaign_id IS NOT NULL
    UNION ALL
    SELECT o.campaign_id, j.account_id, false, true FROM judged j JOIN owners o USING (found_family)
  )
  GROUP BY campaign_id, account_id
)
GROUP BY campaign_id;

CREATE TEMP TABLE campaign_scores AS
SELECT
  c.campaign_id, c.prompts, a.accounts,
  coalesce(o.families, 0) AS families,
  coalesce(o.n_owned / o.n_all, 0) AS precision,
  coalesce(o.n_owned, 0) / c.prompts AS recall,
  coalesce(a.account_precision, 0) AS account_precision,
  coalesce(a.account_recall, 0) AS account_recall,
  o.best_rank
FROM (SELECT campaign_id, count(*) AS prompts FROM judged WHERE campaign_id IS NOT NULL GROUP BY campaign_id) c
JOIN account_scores a USING (campaign_id)
LEFT JOIN (
  SELECT campaign_id, count(*) AS families, sum(n_owned) AS n_owned, sum(n_all) AS n_all, min(rank) AS best_rank
  FROM owners LEFT JOIN ranks USING (found_family) GROUP BY campaign_id
) o USING (campaign_id);

CREATE TEMP TABLE benign_scores AS
SELECT
  count(*) AS benign,
  coalesce(avg((found_family IN (SELECT found_family FROM owners))::INTEGER), 0) AS inside,
  coalesce(avg((found_family IS NOT NULL)::INTEGER), 0) AS clustered
FROM judged WHERE campaign_id IS NULL;

CREATE TEMP TABLE judged_families AS
SELECT true_family, coalesce(found_family, 'alone:' || prompt_id) AS found_family
FROM judged WHERE campaign_id IS NOT NULL AND true_family IS NOT NULL
