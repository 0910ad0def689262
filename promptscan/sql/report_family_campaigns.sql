-- The campaigns that each family in $families is part of.
SELECT DISTINCT family_id, campaign_id
FROM campaign_families
WHERE family_id IN (SELECT unnest($families::VARCHAR[])) AND campaign_id IS NOT NULL
ORDER BY family_id, campaign_id
