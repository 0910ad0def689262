-- Banks that know a text, bad ones first.
SELECT bank, kind, score FROM bank_hits WHERE text_id = CAST($1 AS BIGINT) ORDER BY kind, score DESC, bank
