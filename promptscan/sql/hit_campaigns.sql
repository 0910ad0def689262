-- The campaigns of every family that is part of any, the one with most of its prompts first.
SELECT family_id, list(campaign_id ORDER BY n_prompts DESC NULLS LAST, campaign_id)
FROM base_campaign_families
WHERE family_id IS NOT NULL AND campaign_id IS NOT NULL
GROUP BY family_id
