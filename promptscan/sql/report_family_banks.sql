-- The banks that know texts of each family in $families, bad ones first.
SELECT family_id, bank, kind, n_known, share
FROM family_banks
WHERE family_id IN (SELECT unnest($families::VARCHAR[]))
ORDER BY family_id, kind, n_known DESC, bank
