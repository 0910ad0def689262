-- The families of found clean texts, and the campaign a family is part of.
SELECT m.clean_id, m.family_id, min(c.campaign_id)
FROM base_members m LEFT JOIN base_campaign_families c USING (family_id)
WHERE m.clean_id IN (/* ids */)
GROUP BY ALL
