-- The $top families by score, each with the head of its exemplar, its commonest template and how evenly accounts share it.
WITH ranked AS (
    SELECT
        family_id, label, capability, percentile, CASE WHEN isfinite(score) THEN score END AS finite_score, exemplar_text_id,
        n_templates, n_texts, n_prompts, n_accounts, first_ts, last_ts
    FROM families
    ORDER BY finite_score DESC NULLS LAST, n_accounts DESC, n_prompts DESC, family_id
    LIMIT $top
),
commonest AS (
    SELECT family_id, template_id
    FROM texts
    WHERE template_id IS NOT NULL AND family_id IN (SELECT family_id FROM ranked)
    GROUP BY family_id, template_id
    QUALIFY row_number() OVER (PARTITION BY family_id ORDER BY sum(n_prompts) DESC, template_id) = 1
),
evenness AS (
    SELECT family_id, pow(sum(n_prompts), 2) / sum(pow(n_prompts, 2)) AS effective_accounts
    FROM family_accounts
    WHERE n_prompts > 0 AND family_id IN (SELECT family_id FROM ranked)
    GROUP BY family_id
)
SELECT
    ranked.family_id, label, capability, percentile, finite_score AS score, ranked.n_templates, ranked.n_texts, ranked.n_prompts,
    ranked.n_accounts, effective_accounts, ranked.first_ts, ranked.last_ts,
    "left"(exemplars.text, $max_chars) AS exemplar, length(exemplars.text) AS exemplar_chars,
    "left"(templates.template, $max_chars) AS template
FROM ranked
LEFT JOIN texts AS exemplars ON exemplars.text_id = ranked.exemplar_text_id
LEFT JOIN commonest ON commonest.family_id = ranked.family_id
LEFT JOIN templates ON templates.template_id = commonest.template_id
LEFT JOIN evenness ON evenness.family_id = ranked.family_id
ORDER BY finite_score DESC NULLS LAST, ranked.n_accounts DESC, ranked.n_prompts DESC, ranked.family_id
