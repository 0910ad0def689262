-- What accounts of a campaign share, the rarest and commonest among them first.
SELECT kind, value, n_accounts, n_others, weight
FROM campaign_entities
WHERE campaign_id = $1
ORDER BY n_accounts * weight DESC NULLS LAST, kind, value
LIMIT 15
