-- What `text_stats` says of each text's first prompt, of the prompts that a filter leaves (`matching`).
CREATE TEMP TABLE matching_stats AS
SELECT
  text_id, min(ts) AS first_ts,
  arg_min(prompt_id, (coalesce(ts, TIMESTAMP 'infinity'), prompt_id)) AS prompt_id,
  arg_min(account_id, (coalesce(ts, TIMESTAMP 'infinity'), prompt_id)) AS account_id
FROM matching GROUP BY text_id
