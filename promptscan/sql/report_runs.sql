-- The newest finished runs, newest first; what a run did not record is NULL.
SELECT run_id, finished_at, command, config::VARCHAR AS config, versions::VARCHAR AS versions, measured::VARCHAR AS measured
FROM runs
WHERE finished_at IS NOT NULL
ORDER BY finished_at DESC, run_id DESC
LIMIT 50
