-- The hierarchy of families, with what a line about each says.
SELECT t.node, t.parent, t.birth, t.size, t.family_id, f.n_texts, f.label
FROM family_tree t LEFT JOIN families f USING (family_id)
ORDER BY t.node
