-- What a --where expression can speak about: a prompt, its text, and its account.
SELECT
  p.*, t.n_chars, s.n_prompts AS text_prompts, s.n_accounts AS text_accounts,
  c.clean_id, c.obfuscation, m.family_id, d.duplicate_id, e.template_id,
  a.created_at, a.n_prompts AS account_prompts
FROM base_prompts p
JOIN base_texts t USING (text_id)
LEFT JOIN base_text_stats s USING (text_id)
LEFT JOIN base_text_disguises c USING (text_id)
LEFT JOIN base_members m ON m.clean_id = c.clean_id
LEFT JOIN base_duplicate_members d ON d.clean_id = c.clean_id
LEFT JOIN base_template_members e ON e.clean_id = c.clean_id
LEFT JOIN accounts a ON a.account_id = p.account_id
