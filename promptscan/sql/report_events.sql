-- What happened to families since $since, or in the run $run, newest first, with the family as it is now.
SELECT
    e.ts, e.event, e.family_id, f.label, e.other_family_id, f.n_prompts, f.n_accounts,
    e.n_before, e.n_texts, e.n_shared
FROM family_events AS e
LEFT JOIN families AS f USING (family_id)
WHERE ($since::TIMESTAMP IS NULL OR e.ts >= $since::TIMESTAMP) AND ($run::VARCHAR IS NULL OR e.run_id = $run::VARCHAR)
ORDER BY e.ts DESC, f.score DESC NULLS LAST, (e.event = 'born') DESC, f.n_accounts DESC NULLS LAST, e.family_id, e.event, e.other_family_id
LIMIT $top
