-- Which banks know texts of a family, how many of its clean texts, and how well.
SELECT
  b.bank, b.kind, count(DISTINCT h.clean_id) AS n_known,
  n_known / (SELECT count(*) FROM base_members WHERE family_id = $1) AS share, max(h.score) AS best_score
FROM base_members m JOIN base_bank_hits h USING (clean_id) JOIN base_banks b USING (bank_digest)
WHERE m.family_id = $1
GROUP BY b.bank, b.kind
ORDER BY b.kind, n_known DESC, b.bank
