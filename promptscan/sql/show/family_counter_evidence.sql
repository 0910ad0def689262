-- What the accounts of a family say against one, strongest first; what could not be said comes last.
SELECT kind, family_id, value, expected, n, log10_e, coalesce(sufficient, true) AS sufficient, sentence
FROM family_evidence
WHERE family_id = $1 AND against
ORDER BY coalesce(sufficient, true) DESC, log10_e DESC NULLS LAST, kind, sentence
