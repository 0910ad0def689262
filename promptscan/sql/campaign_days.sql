-- Prompts of campaigns' members in their families, by day (tables `new_campaign_accounts`, `new_campaign_families`).
SELECT a.campaign_id, CAST(s.ts AS DATE) AS day, count(*) AS n_prompts, count(DISTINCT s.account) AS n_accounts
FROM sent s
JOIN candidates c USING (family)
JOIN people p USING (account)
JOIN new_campaign_families f ON f.family_id = c.family_id
JOIN new_campaign_accounts a ON a.campaign_id = f.campaign_id AND a.account_id = p.account_id
WHERE s.ts IS NOT NULL
GROUP BY a.campaign_id, day
ORDER BY a.campaign_id, day
