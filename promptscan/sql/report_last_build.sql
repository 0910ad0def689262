-- The last run that may have built, and the newest time of the log.
SELECT
  (SELECT arg_max(run_id, (finished_at, run_id)) FROM runs WHERE finished_at IS NOT NULL AND command IS DISTINCT FROM 'ingest') AS run,
  (SELECT max(ts) FROM prompts) AS newest
