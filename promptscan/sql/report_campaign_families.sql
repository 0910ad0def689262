-- The $per_campaign families with most prompts of each campaign in $campaigns, each with its commonest template.
WITH part AS (
    SELECT campaign_id, family_id, n_prompts, n_accounts, CASE WHEN isfinite(f.score) THEN f.score END AS score, reason
    FROM campaign_families AS f
    WHERE campaign_id IN (SELECT unnest($campaigns::VARCHAR[]))
    QUALIFY row_number() OVER (PARTITION BY campaign_id ORDER BY n_prompts DESC NULLS LAST, family_id) <= $per_campaign
),
commonest AS (
    SELECT family_id, template_id
    FROM texts
    WHERE template_id IS NOT NULL AND family_id IN (SELECT family_id FROM part)
    GROUP BY family_id, template_id
    QUALIFY row_number() OVER (PARTITION BY family_id ORDER BY sum(n_prompts) DESC, template_id) = 1
)
SELECT
    part.campaign_id, part.family_id, families.label, families.capability, families.percentile, part.n_prompts, part.n_accounts,
    part.score, part.reason, "left"(templates.template, $max_chars) AS template
FROM part
LEFT JOIN families USING (family_id)
LEFT JOIN commonest USING (family_id)
LEFT JOIN templates USING (template_id)
ORDER BY part.campaign_id, part.n_prompts DESC NULLS LAST, part.family_id
