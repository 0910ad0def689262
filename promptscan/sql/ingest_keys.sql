-- Which staged rows are new, under which id, and which of their texts are. `position` counts within a source.
CREATE TEMP TABLE fresh AS
WITH once AS (
  SELECT source_no, position, event_key, digest, given_id FROM staged
  QUALIFY row_number() OVER (PARTITION BY event_key ORDER BY source_no, position) = 1
), unknown AS (
  SELECT * FROM once ANTI JOIN base_prompts USING (event_key)
), taken AS (
  SELECT prompt_id FROM base_prompts SEMI JOIN unknown ON base_prompts.prompt_id = unknown.given_id
)
-- the first prompt under a given id keeps it; a later, different one is kept apart under an id of its own
SELECT
  source_no, position, event_key, digest,
  given_id IS NOT NULL AND (taken.prompt_id IS NOT NULL OR rank > 1) AS conflict,
  CASE
    WHEN given_id IS NULL THEN replace(event_key::VARCHAR, '-', '')
    WHEN taken.prompt_id IS NOT NULL OR rank > 1 THEN given_id || '~' || (event_key::VARCHAR)[1:8]
    ELSE given_id
  END AS prompt_id
FROM (
  SELECT *, CASE WHEN given_id IS NULL THEN 1 ELSE row_number() OVER (PARTITION BY given_id ORDER BY source_no, position) END AS rank
  FROM unknown
) u
LEFT JOIN (SELECT DISTINCT prompt_id FROM taken) taken ON taken.prompt_id = u.given_id;

CREATE TEMP TABLE new_texts AS
SELECT DISTINCT ON (digest) digest, source_no, position
FROM fresh ANTI JOIN base_texts USING (digest)
ORDER BY digest, source_no, position;

-- text ids follow the order of the texts, so a batch gets the same ids in whatever order it came
CREATE TEMP TABLE new_text_rows AS
SELECT getvariable('first_text') + row_number() OVER (ORDER BY s.text) - 1 AS text_id, n.digest, s.text
FROM new_texts n JOIN staged s USING (source_no, position);

CREATE TEMP TABLE text_numbers AS
SELECT digest, text_id FROM new_text_rows
UNION ALL
SELECT t.digest, t.text_id FROM base_texts t SEMI JOIN fresh USING (digest);
