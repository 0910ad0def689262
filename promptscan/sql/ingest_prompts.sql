SELECT
  f.event_key, f.prompt_id, n.text_id, s.account_id, s.ts, s.model, s.session_id, s.system_prompt,
  o.name AS source, f.position
  /* kept columns */
FROM fresh f
JOIN staged s USING (source_no, position)
JOIN text_numbers n ON n.digest = f.digest
JOIN sources o ON o.source_no = f.source_no
ORDER BY s.ts NULLS FIRST, f.event_key
