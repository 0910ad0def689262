-- Counts of the whole store and of the period from $since on (NULL: all of it).
SELECT
    (SELECT min(ts) FROM prompts) AS first_ts,
    (SELECT max(ts) FROM prompts) AS last_ts,
    (SELECT count(*) FROM prompts) AS n_prompts,
    (SELECT count(*) FROM prompts WHERE $since::TIMESTAMP IS NULL OR ts >= $since::TIMESTAMP) AS n_prompts_since,
    (SELECT count(*) FROM texts) AS n_texts,
    (SELECT count(*) FROM accounts) AS n_accounts,
    (SELECT count(*) FROM families) AS n_families,
    (SELECT count(*) FROM campaigns) AS n_campaigns,
    (SELECT count(*) FROM alerts WHERE $since::TIMESTAMP IS NULL OR fired_at >= $since::TIMESTAMP) AS n_alerts,
    (SELECT count(*) FROM family_events WHERE $since::TIMESTAMP IS NULL OR ts >= $since::TIMESTAMP) AS n_events,
    (SELECT coalesce(sum(n_prompts), 0)::BIGINT FROM texts WHERE family_id IS NULL) AS n_noise_prompts,
    (SELECT count(*) FROM quarantine) AS n_quarantined,
    (SELECT count(DISTINCT reason) FROM quarantine) AS n_quarantine_reasons
