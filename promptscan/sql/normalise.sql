-- Number the clean forms that the store has not seen, in the order of their first text.
CREATE TEMP TABLE keyed AS
SELECT text_id, obfuscation, CAST(sha256(clean)[1:32] AS UUID) AS digest FROM cleaned;

CREATE TEMP TABLE new_cleans AS
WITH firsts AS (
  SELECT digest, min(text_id) AS text_id FROM keyed ANTI JOIN base_cleans USING (digest) GROUP BY digest
)
SELECT getvariable('first_clean') + row_number() OVER (ORDER BY f.text_id) - 1 AS clean_id, f.digest, c.clean, f.text_id
FROM firsts f JOIN cleaned c USING (text_id);

CREATE TEMP TABLE new_text_cleans AS
SELECT k.text_id, n.clean_id, k.obfuscation
FROM keyed k
JOIN (
  SELECT digest, clean_id FROM new_cleans
  UNION ALL
  SELECT digest, clean_id FROM base_cleans SEMI JOIN keyed USING (digest)
) n USING (digest);

-- texts that are not the first of their clean form; few, and the way from a clean text to all of its texts
CREATE TEMP TABLE new_text_variants AS
SELECT c.clean_id, c.text_id FROM new_text_cleans c ANTI JOIN new_cleans n USING (text_id);
