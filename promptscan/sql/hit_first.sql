-- The first prompt of some texts, of the prompts that a filter leaves.
SELECT text_id, prompt_id, account_id, first_ts FROM matching_stats WHERE text_id IN (/* ids */)
