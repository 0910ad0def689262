-- A family on the two axes that both must pass.
SELECT * EXCLUDE (family_id) FROM family_axes WHERE family_id = $1 LIMIT 1
