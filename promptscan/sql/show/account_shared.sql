-- What an account shares with others of its campaigns, the rarest first.
SELECT DISTINCT e.kind, e.value, e.campaign_id, e.n_accounts, e.n_others, e.weight
FROM campaign_entities e
SEMI JOIN (FROM campaign_accounts WHERE account_id = $1) m USING (campaign_id)
SEMI JOIN (FROM entities WHERE account_id = $1) own ON own.kind = e.kind AND own.value = e.value
ORDER BY e.weight DESC NULLS LAST, e.n_accounts DESC, e.kind, e.value, e.campaign_id
LIMIT 15
