-- The banks that know texts of a family.
SELECT bank, kind, n_known, share, best_score FROM family_banks WHERE family_id = $1 ORDER BY kind, n_known DESC, bank
