-- The last $per_family things that happened to each family in $families, newest first.
SELECT family_id, ts, event, other_family_id, n_before, n_texts, n_shared
FROM family_events
WHERE family_id IN (SELECT unnest($families::VARCHAR[]))
QUALIFY row_number() OVER (PARTITION BY family_id ORDER BY ts DESC, run_id DESC, event, other_family_id) <= $per_family
ORDER BY family_id, ts DESC, run_id DESC, event, other_family_id
