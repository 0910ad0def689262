-- What is known of some texts: how often and first by whom they were sent.
SELECT text_id, n_prompts, n_accounts, prompt_id, account_id, first_ts FROM /* stats */ WHERE text_id IN (/* ids */)
