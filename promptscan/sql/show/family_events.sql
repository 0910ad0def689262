-- What happened to a family, and to others that split from it or merged into it; newest last.
SELECT ts, event, family_id, other_family_id, n_before, n_texts, n_shared
FROM family_events
WHERE family_id = $1 OR other_family_id = $1
ORDER BY ts, run_id, family_id <> $1, family_id[3:]::BIGINT, event
